package batchchan

import "time"

// effects are what a section under mu leaves to be done after unlock: wake-ups,
// which are long, and calls of user functions, which are forbidden there.
type effects[T any] struct {
	wakeUps
	waiters  *waiter[T]
	barriers *barrier
	since    time.Duration // when the first item of a taken batch came; 0 unless its sender waits for the answer
	end      bool          // nothing is left: close done
}

// unlock releases mu and does what the section left to do.
func (g *engine[T]) unlock(e *effects[T]) {
	g.mu.unlock()
	if e.takers != nil || e.waiters != nil || e.barriers != nil || e.spawn != 0 || e.end {
		g.after(e)
	}
}

func (g *engine[T]) after(e *effects[T]) {
	for ; e.spawn > 0; e.spawn-- {
		go g.work()
	}
	if e.wake() && e.since > 0 && g.now()-e.since > nudgeAfter {
		go nudge()
	}
	if e.end {
		g.cancel()
		close(g.done)
	}
	*e = effects[T]{}
}

// settle wakes w, a blocked sender that was taken out of its list, with an outcome.
func (e *effects[T]) settle(w *waiter[T], err error) {
	w.err = err
	w.next = e.waiters
	e.waiters = w
}

// wake wakes the goroutines that the section has put in e, and reports whether a taker
// was parked.
func (e *effects[T]) wake() (parked bool) {
	for t := e.takers; t != nil; {
		next := t.next // t may park again as soon as it is woken
		t.next = nil
		parked = t.send() || parked
		t = next
	}
	for w := e.waiters; w != nil; {
		next := w.next
		w.next = nil
		w.send()
		w = next
	}
	for b := e.barriers; b != nil; b = b.next {
		close(b.done)
	}
	return parked
}
