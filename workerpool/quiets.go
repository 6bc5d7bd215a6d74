package workerpool

import (
	"slices"
	"sync/atomic"
)

// quiets is the calls that wait for the pool to become quiet. It does not look at the pool:
// tell gets what it must know. The pool's mutex is held in its methods.
type quiets struct {
	some    atomic.Bool // there are any: a step that may have made the pool quiet must call tell
	waiting []*quietWaiter
}

// quietWaiter is one call that waits for the pool to have nothing active and,
// unless it is a Pause, nothing queued.
type quietWaiter struct {
	done  chan struct{}
	pause bool
}

// join begins a wait, which ends when done is closed. The caller then has tell called.
func (q *quiets) join(pause bool) *quietWaiter {
	w := &quietWaiter{done: make(chan struct{}), pause: pause}
	q.waiting = append(q.waiting, w)
	q.some.Store(true)
	return w
}

// leave gives a wait up. It returns false if that has ended.
func (q *quiets) leave(w *quietWaiter) bool {
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	q.some.Store(len(q.waiting) > 0)
	return true
}

// tell ends the waits that are over: empty says that no task is queued, still that none
// runs.
func (q *quiets) tell(empty, still bool) {
	q.waiting = slices.DeleteFunc(q.waiting, func(w *quietWaiter) bool {
		over := still && (empty || w.pause)
		if over {
			close(w.done)
		}
		return over
	})
	q.some.Store(len(q.waiting) > 0)
}
