package workerpool

import (
	"context"
	"sync"
)

// View is a pool within a pool: it shares the workers and has a cap of its own on
// how many of its tasks run, so that one kind of work cannot take the whole pool.
// Tasks above the cap wait in the view's own queue, which has the room of the
// pool's (Config.QueueSize; that of NoQueue is 0) and its OnFull policy. Make one
// with [Pool.Limit]. A View needs no closing: it ends with its pool.
//
// All methods are safe for concurrent use. Tasks of a view reach the pool in the
// order of their submission.
type View struct {
	p     *Pool
	limit int
	room  int

	mu      sync.Mutex
	running int          // guarded by mu; tasks in the pool, limit at most
	pending spill[job]   // guarded by mu; empty while running < limit, unless a Shutdown has expired
	blocked blocked[job] // guarded by mu; empty while pending has room
	listed  bool         // guarded by mu; the pool knows v, see list
	ended   uint64       // guarded by mu
	dropped uint64       // guarded by mu
}

// ViewStats is what a view holds at one moment. Its tasks are in the pool's
// counters as well, from the moment they leave the view's own queue.
type ViewStats struct {
	Limit   int    `json:"limit"`   // the cap
	Running int    `json:"running"` // tasks handed to the pool and not ended
	Queued  int    `json:"queued"`  // tasks that wait for the cap
	Blocked int    `json:"blocked"` // submitters that wait for room
	Ended   uint64 `json:"ended"`   // tasks that ended, in whatever way
	Dropped uint64 `json:"dropped"` // queued tasks dropped by DiscardOldest or an expired Shutdown
}

// Limit returns a view of p that runs at most n tasks at a time; n below 1 counts
// as 1.
func (p *Pool) Limit(n int) *View {
	v := &View{p: p, limit: max(n, 1)}
	if p != nil && p.c != nil {
		v.room = max(p.c.cfg.QueueSize, 0)
	}
	return v
}

// Submit is [Pool.Submit] within the view's cap.
func (v *View) Submit(f func()) error { return v.submitPlain(context.Background(), f, -1) }

// TrySubmit is [Pool.TrySubmit] within the view's cap.
func (v *View) TrySubmit(f func()) error { return v.submitPlain(context.Background(), f, Reject) }

// SubmitContext is [Pool.SubmitContext] within the view's cap.
func (v *View) SubmitContext(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return v.submitPlain(ctx, f, Block)
}

// Do is [Pool.Do] within the view's cap.
func (v *View) Do(ctx context.Context, t Task) error {
	if v.p == nil || v.p.c == nil {
		return ErrClosed
	}
	tc := new(taskCore)
	if err := tc.init(ctx, v.p.c, t); err != nil {
		return err
	}
	if err := tc.submit(v); err != nil {
		return err
	}
	return tc.await()
}

// Stats returns what the view holds now.
func (v *View) Stats() ViewStats {
	v.mu.Lock()
	defer v.mu.Unlock()
	return ViewStats{
		Limit: v.limit, Running: v.running, Queued: v.pending.len,
		Blocked: v.blocked.len, Ended: v.ended, Dropped: v.dropped,
	}
}

func (v *View) submitPlain(ctx context.Context, f func(), onFull Policy) error {
	if f == nil {
		return ErrNilTask
	}
	if v.p == nil || v.p.c == nil {
		return ErrClosed
	}
	if onFull < 0 {
		onFull = v.p.c.cfg.OnFull
	}
	return v.submit(ctx, plain(f), onFull)
}

// submit starts j on the pool, or queues it where the cap is reached.
func (v *View) submit(ctx context.Context, j job, onFull Policy) error {
	c := v.p.c
	v.mu.Lock()
	if v.running < v.limit {
		v.running++
		v.mu.Unlock()
		err := c.submitSlow(ctx, levelOf(c, j), &viewJob{v, j}, onFull)
		if err != nil {
			v.next() // others may have queued behind this one
		}
		return err
	}
	c.held.Add(1) // first: a Close that does not see it is seen here
	if !v.list() {
		v.mu.Unlock()
		c.release()
		return ErrClosed
	}
	if v.pending.len < v.room {
		v.pending.push(item[job]{val: j})
		v.mu.Unlock()
		return nil
	}
	c.release() // no room
	switch onFull {
	case CallerRuns:
		v.mu.Unlock()
		c.callerRun(j)
		return nil
	case DiscardOldest:
		if v.pending.len > 0 {
			old := v.pending.pop()
			v.pending.push(item[job]{val: j})
			v.dropped++
			v.mu.Unlock()
			old.val.drop(ErrDiscarded)
			return nil
		}
	case Block:
		return v.wait(ctx, j)
	}
	v.mu.Unlock()
	c.books.rejected.Add(1)
	return ErrFull
}

// wait waits for room in the view's queue. The caller holds mu, which wait
// releases.
func (v *View) wait(ctx context.Context, j job) error {
	c := v.p.c
	s := v.blocked.push(j)
	v.mu.Unlock()
	c.books.blocked.Add(1)
	defer c.stepAside()()
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
	}
	v.mu.Lock()
	if s.queued {
		v.blocked.remove(s)
		v.mu.Unlock()
		return ctx.Err()
	}
	v.mu.Unlock()
	return <-s.done
}

func levelOf(c *core[job], j job) *level[job] {
	if t, ok := j.(*taskCore); ok {
		return t.level
	}
	return &c.levels[0]
}

// viewJob is a view's task in the pool. When it ends, the view's next takes its
// place.
type viewJob struct {
	v *View
	j job
}

func (vj *viewJob) run(w *worker) outcome {
	defer vj.end() // after a panic and a Goexit too
	return vj.j.run(w)
}

func (vj *viewJob) end() {
	vj.v.mu.Lock()
	vj.v.ended++
	vj.v.mu.Unlock()
	vj.v.next()
}

func (vj *viewJob) drop(err error) {
	vj.j.drop(err)
	vj.v.next()
}

// next gives the place of a task that ended or was not accepted by the pool to
// the view's oldest queued one. That one was accepted already, so the pool takes
// it whether it is full, closed or neither. It happens under mu, so that the tasks
// reach the pool in order.
func (v *View) next() {
	c := v.p.c
	c.held.Add(1) // first: what is let in below is seen by Close, or sees it
	defer c.release()
	v.mu.Lock()
	var told *submitter[job]
	if c.alert.Load()&alertClosed == 0 {
		told = v.admit()
	}
	passed := false
	if v.pending.len > 0 {
		j := v.pending.peek().val
		passed = c.force(levelOf(c, j), &viewJob{v, j})
	}
	if passed {
		v.pending.pop()
	} else {
		v.running--
		if v.running == 0 && v.listed {
			v.listed = false
			c.unlist(v)
		}
	}
	v.mu.Unlock()
	if passed {
		c.release()
	}
	if told != nil {
		told.done <- nil
	}
}

// admit lets the longest blocked submitter into the queue. The caller holds mu and
// tells the submitter afterwards.
func (v *View) admit() *submitter[job] {
	s := v.blocked.head
	if s != nil {
		v.pending.push(item[job]{val: s.val})
		v.p.c.held.Add(1)
		v.blocked.remove(s)
	}
	return s
}

// list makes the pool know that v has tasks or submitters of its own, until none
// of v's tasks runs; it reports false if the pool is closed. The caller holds mu.
func (v *View) list() bool {
	if v.listed {
		return v.p.c.alert.Load()&alertClosed == 0
	}
	v.listed = v.p.c.list(v)
	return v.listed
}

// refuse implements annex.
func (v *View) refuse() {
	v.mu.Lock()
	var refused []*submitter[job]
	for v.blocked.len > 0 {
		s := v.blocked.head
		v.blocked.remove(s)
		refused = append(refused, s)
	}
	v.mu.Unlock()
	for _, s := range refused {
		s.done <- ErrClosed
	}
}

// discard implements annex.
func (v *View) discard() int {
	var jobs []job
	v.mu.Lock()
	for v.pending.len > 0 {
		jobs = append(jobs, v.pending.pop().val)
	}
	v.dropped += uint64(len(jobs))
	v.mu.Unlock()
	for _, j := range jobs {
		j.drop(ErrClosed)
		v.p.c.release()
	}
	return len(jobs)
}
