package workerpool

import "github.com/poundlock/poundlock/internal/rt"

// self returns the caller's worker if the calling goroutine is running one of
// this pool's tasks, else nil. It is asked only where a call is about to wait.
func (c *core[T]) self() *worker {
	id := rt.Goroutine()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.goroutines[id]
}

// bind makes the calling goroutine that of w.
func (c *core[T]) bind(w *worker) {
	w.goroutine = rt.Goroutine()
	c.mu.Lock()
	c.goroutines[w.goroutine] = w
	c.mu.Unlock()
}

// unbind ends that, before the goroutine ends: another may get its number then.
// The caller holds mu.
func (c *core[T]) unbind(w *worker) { delete(c.goroutines, w.goroutine) }

// stepAside allows one more worker until back is called, if the caller is one of
// the pool's own tasks: it is about to wait, perhaps for others of them.
func (c *core[T]) stepAside() (back func()) {
	if c.self() == nil {
		return func() {}
	}
	c.changeComp(1)
	return func() { c.changeComp(-1) }
}
