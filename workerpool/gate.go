package workerpool

import (
	"context"
	"sync"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// gate is the engine under View and FuncView: it lets at most limit of its tasks into
// the pool at a time and keeps the others in a queue of its own.
type gate[T any] struct {
	c     *core[T]
	mark  func(T) T // makes a task of the pool call taskEnded, or after a drop pass
	level func(T) *level[T]
	room  int

	mu      sync.Mutex
	limit   int           // guarded by mu
	lent    int           // guarded by mu; places of tasks that wait for the pool itself
	running int           // guarded by mu; tasks in the pool, or being submitted to it
	pending spill[T]      // guarded by mu; empty while running < limit + lent, unless a Shutdown has expired
	waiters waiters[T]    // guarded by mu; empty while pending has room
	listed  bool          // guarded by mu; g is in core.views, see list
	closed  bool          // guarded by mu; submissions are refused
	done    chan struct{} // guarded by mu; closed when a closed gate has no task left; nil until asked for
	over    bool          // guarded by mu; done is closed, or would be
	ended   uint64        // guarded by mu
	dropped uint64        // guarded by mu
}

// ViewStats is what a view holds at one moment. Its tasks are in the pool's
// counters as well, from the moment they leave the view's own queue.
type ViewStats struct {
	Name    string `json:"name,omitempty"` // Config.Name of the pool
	Limit   int    `json:"limit"`          // the cap
	Running int    `json:"running"`        // tasks handed to the pool and not ended
	Queued  int    `json:"queued"`         // tasks that wait for the cap
	Waiters int    `json:"waiters"`        // submitters that wait for room in that queue
	Ended   uint64 `json:"ended"`          // tasks that ended, in whatever way
	Dropped uint64 `json:"dropped"`        // queued tasks dropped by the Overflow policy or an expired Shutdown
}

func newGate[T any](c *core[T], n int) *gate[T] {
	g := &gate[T]{c: c, limit: max(n, 1)}
	if c != nil {
		g.room = max(c.cfg.QueueSize, 0)
	}
	return g
}

// submit starts v on the pool, or queues it where the cap is reached.
func (g *gate[T]) submit(ctx context.Context, v T, overflow Overflow) error {
	c := g.c
	for weeded := false; ; weeded = true {
		g.mu.Lock()
		if g.closed {
			g.mu.Unlock()
			return ErrClosed
		}
		if g.running < g.limit+g.lent {
			g.running++
			g.mu.Unlock()
			err := c.submitSlow(ctx, g.level(v), g.mark(v), overflow)
			if err != nil {
				g.pass() // others may have queued behind this one
			}
			return err
		}
		if g.pending.len < g.room || weeded || c.views.closed.Load() || c.alert.Load()&alertCtx == 0 {
			return g.enqueue(ctx, v, overflow)
		}
		g.mu.Unlock()
		g.weed()
	}
}

// enqueue puts v into the view's queue, or does with it what overflow says. It
// releases mu, which the caller holds.
func (g *gate[T]) enqueue(ctx context.Context, v T, overflow Overflow) error {
	c := g.c
	c.views.held.Add(1) // first: a Close that does not see it is seen here
	if !g.list() {
		g.mu.Unlock()
		c.release()
		return ErrClosed
	}
	if g.pending.len < g.room {
		g.pending.push(item[T]{val: v})
		g.mu.Unlock()
		return nil
	}
	c.release() // no room
	switch overflow {
	case DropOldest, DropNewest:
		old := v
		if overflow == DropOldest && g.pending.len > 0 {
			old = g.pending.pop().val
			g.pending.push(item[T]{val: v})
		}
		g.dropped++
		g.mu.Unlock()
		c.drop(old, ErrDropped)
		return nil
	case Block, CallerRuns: // a caller that ran it at once would break the cap
		return g.wait(ctx, v)
	}
	g.mu.Unlock()
	c.books.rejected.Add(1)
	return ErrFull
}

// weed ends queued tasks that will not run, and lets submitters in for them.
func (g *gate[T]) weed() {
	c := g.c
	c.desk.mu.Lock()
	start := c.clock.now()
	allowed := c.weeding.allows(start)
	c.desk.mu.Unlock()
	if !allowed {
		return
	}
	var told []*waiter[T]
	g.mu.Lock()
	dead := g.pending.weed(func(v T) bool { _, over := c.kind.over(v); return over })
	g.ended += uint64(len(dead))
	for g.pending.len < g.room {
		s := g.admit()
		if s == nil {
			break
		}
		told = append(told, s)
	}
	g.mu.Unlock()
	c.desk.mu.Lock()
	c.weeding.spend(c.clock.now() - start)
	c.desk.mu.Unlock()
	for _, s := range told {
		s.done <- nil
	}
	for _, v := range dead {
		c.kind.bury(v)
		c.release()
	}
}

// wait waits for room in the view's queue. The caller holds mu, which wait
// releases.
func (g *gate[T]) wait(ctx context.Context, v T) error {
	c := g.c
	if !c.mayWait() {
		g.mu.Unlock()
		c.books.rejected.Add(1)
		return ErrFull
	}
	defer c.waiting.Add(-1)
	s := g.waiters.push(v)
	g.mu.Unlock()
	away, err := c.desk.stepAside() // may make a place for v itself
	if err == nil {
		defer away.back()
		select {
		case err := <-s.done:
			return err
		case <-ctx.Done():
			err = ctxerr.From(ctx)
		}
	}
	g.mu.Lock()
	if s.queued() {
		g.waiters.remove(s)
		g.mu.Unlock()
		return err
	}
	g.mu.Unlock()
	return <-s.done
}

// taskEnded gives the place of a task that has run to the next.
func (g *gate[T]) taskEnded() {
	g.mu.Lock()
	g.ended++
	g.mu.Unlock()
	g.pass()
}

// pass gives up the place of a task that ended or was not accepted by the pool.
func (g *gate[T]) pass() { g.change(func() { g.running-- }) }

// lend adds d to the places that others may have because tasks wait.
func (g *gate[T]) lend(d int) { g.change(func() { g.lent += d }) }

// change makes a change to the places and fills those that are free with the oldest
// queued tasks. They were accepted already, so the pool takes them whether it is
// full, closed or neither. It happens under mu, so that the tasks reach the pool in
// order.
func (g *gate[T]) change(f func()) {
	c := g.c
	c.views.held.Add(1) // first: what is let in below is seen by Close, or sees it
	defer c.release()
	var told []*waiter[T]
	passed := 0
	g.mu.Lock()
	f()
	for g.running < g.limit+g.lent {
		if s := g.admit(); s != nil {
			told = append(told, s)
		}
		if g.pending.len == 0 || !c.desk.force(g.level(g.pending.peek().val), g.mark(g.pending.peek().val)) {
			break
		}
		g.running++
		g.pending.pop()
		passed++
	}
	if g.running == 0 && g.pending.len == 0 {
		if g.listed && g.done == nil {
			g.listed = false
			c.views.remove(g)
		}
		g.endIfClosed()
	}
	g.mu.Unlock()
	for range passed {
		c.release()
	}
	for _, s := range told {
		s.done <- nil
	}
}

// admit lets the submitter that has waited longest into the queue. The caller holds
// mu and tells the submitter afterwards.
func (g *gate[T]) admit() *waiter[T] {
	s := g.waiters.oldest()
	if s == nil || g.closed || g.c.views.closed.Load() {
		return nil
	}
	g.pending.push(item[T]{val: s.val})
	g.c.views.held.Add(1)
	g.waiters.remove(s)
	return s
}

// list enters g into core.views, because it has tasks or submitters of its own; it
// stays there until none of g's tasks runs. It returns false if the pool is closed. The
// caller holds mu.
func (g *gate[T]) list() bool {
	if g.listed {
		return !g.c.views.closed.Load()
	}
	g.listed = g.c.views.add(g)
	return g.listed
}

// resize changes the cap.
func (g *gate[T]) resize(n int) error {
	err := error(nil)
	g.change(func() {
		if g.closed || g.c.views.closed.Load() {
			err = ErrClosed
			return
		}
		g.limit = max(n, 1)
	})
	return err
}

// refuse makes later submissions fail with ErrClosed, and those of waiting submitters.
func (g *gate[T]) refuse() {
	g.mu.Lock()
	g.closed = true
	refused := g.waiters.takeSubmitters()
	g.endIfClosed()
	g.mu.Unlock()
	for _, s := range refused {
		s.done <- ErrClosed
	}
}

// endIfClosed closes done once a closed gate has no task left. The caller holds mu.
func (g *gate[T]) endIfClosed() {
	if !g.closed || g.over || g.running > 0 || g.pending.len > 0 {
		return
	}
	g.over = true
	if g.done != nil {
		close(g.done)
	}
	if g.listed {
		g.listed = false
		g.c.views.remove(g)
	}
}

// ends returns done.
func (g *gate[T]) ends() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.done == nil {
		g.done = make(chan struct{})
		if g.over {
			close(g.done)
		} else if !g.closed && !g.list() { // the pool must tell g when it closes
			g.closed = true
			g.endIfClosed()
		}
	}
	return g.done
}

// close refuses new tasks and waits for those accepted.
func (g *gate[T]) close() error {
	done := g.ends()
	g.refuse()
	for w := g.c.desk.crew.roll.self(); w != nil; w = w.outer {
		if w.gate == g {
			return ErrInside
		}
	}
	away, err := g.c.desk.stepAside()
	if err != nil {
		return err
	}
	defer away.back()
	<-done
	return nil
}

// takeAll takes the queued tasks out, to be dropped.
func (g *gate[T]) takeAll() (out []T) {
	g.mu.Lock()
	for g.pending.len > 0 {
		out = append(out, g.pending.pop().val)
	}
	g.dropped += uint64(len(out))
	g.endIfClosed()
	g.mu.Unlock()
	return out
}

func (g *gate[T]) stats() ViewStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := ViewStats{
		Limit: g.limit, Running: g.running, Queued: g.pending.len,
		Waiters: g.waiters.len(), Ended: g.ended, Dropped: g.dropped,
	}
	if g.c != nil {
		s.Name = g.c.cfg.Name
	}
	return s
}
