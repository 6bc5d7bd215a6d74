package workerpool

// White-box hooks for the tests of package workerpool_test.

const MinInterval = minInterval

// Waiting returns how many values wait for room in p's queue.
func Waiting(p *Pool) int {
	p.c.desk.mu.Lock()
	defer p.c.desk.mu.Unlock()
	return p.c.desk.q.levels[0].waiters.len()
}

// NoYields has p's submitters sleep at a full queue without having yielded, as where
// many yield already.
func NoYields(p *Pool) { p.c.yielders.Add(maxYielders) }

// Held returns how many tasks p believes to wait in queues of views.
func Held(p *Pool) int64 { return p.c.views.held.Load() }
