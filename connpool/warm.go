package connpool

import (
	"context"
	"fmt"
	"slices"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Warm opens connections until n are open, idle or on loan, and waits for them.
// It returns the error of the first dial that fails, ctx's error, [ErrClosed], or
// [ErrBreakerOpen]; what was opened by then stays. While the pool is paused it waits.
// n above MaxOpen, MaxIdle or (of a Keyed) MaxTotal is an error, also when a Resize
// makes it so meanwhile; n below 1 does nothing. A nil ctx panics.
func (p *Pool[C]) Warm(ctx context.Context, n int) error {
	ctxerr.NotNil(ctx, "connpool")
	if err := ctxerr.From(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	switch {
	case p.core.closed:
		p.unlock()
		return ErrClosed
	case n > p.core.mostWarm():
		defer p.unlock()
		return tooWarm(n, p.core.mostWarm())
	case n <= len(p.roster.all()):
		p.unlock()
		return nil
	}
	p.core.n.warms++
	w := p.core.warmers.add(n)
	p.core.provide()
	p.unlock()
	select {
	case err := <-w.ch:
		return err
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.core.warmers.remove(w)
	p.unlock()
	return ctxerr.From(ctx)
}

func tooWarm(n, limit int) error {
	return fmt.Errorf("connpool: Warm(%d) exceeds the limit of %d", n, limit)
}

// warmer is a Warm that waits.
type warmer struct {
	n  int
	ch chan error // capacity 1
}

// warmers is the part of a pool that knows the waiting Warms. It is guarded by Pool.mu.
type warmers struct{ list []*warmer }

// add makes a Warm wait for n connections.
func (ws *warmers) add(n int) *warmer {
	w := &warmer{n: n, ch: make(chan error, 1)}
	ws.list = append(ws.list, w)
	return w
}

func (ws *warmers) any() bool { return len(ws.list) > 0 }

// most returns for how many connections the Warms wait.
func (ws *warmers) most() int {
	n := 0
	for _, w := range ws.list {
		n = max(n, w.n)
	}
	return n
}

// reached ends those that wait for no more than the open connections.
func (ws *warmers) reached(open int) {
	ws.end(func(w *warmer) (bool, error) { return w.n <= open, nil })
}

// shrink ends those that a Resize has made wait for what cannot be.
func (ws *warmers) shrink(limit int) {
	ws.end(func(w *warmer) (bool, error) { return w.n > limit, tooWarm(w.n, limit) })
}

// fail ends all with err.
func (ws *warmers) fail(err error) {
	ws.end(func(*warmer) (bool, error) { return true, err })
}

// remove ends w, whose ctx has ended. It may have ended before.
func (ws *warmers) remove(w *warmer) {
	ws.list = slices.DeleteFunc(ws.list, func(o *warmer) bool { return o == w })
}

func (ws *warmers) end(ends func(*warmer) (bool, error)) {
	ws.list = slices.DeleteFunc(ws.list, func(w *warmer) bool {
		ok, err := ends(w)
		if ok {
			w.ch <- err
		}
		return ok
	})
}
