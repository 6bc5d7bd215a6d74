package workerpool

import "github.com/poundlock/poundlock/internal/list"

// waiters is the FIFO of values that wait for room in a queue: those of blocked
// submitters, and accepted ones for which there is no room (the next task of a view
// at a full pool, a task for a worker on its way). A call that makes room puts them into
// the queue in turn, so none starves, however many others barge past. The list is
// intrusive, so that a submitter whose ctx ends leaves from the middle. Its owner's
// mutex guards it.
type waiters[T any] struct {
	list     list.List[*waiter[T]]
	accepted int        // of them, those without a submitter
	free     *waiter[T] // for reuse, linked by next
	frees    int
}

// waiter is one value in waiters.
type waiter[T any] struct {
	place    list.Node[*waiter[T]]
	next     *waiter[T] // in free
	val      T
	at       int64      // submission time of an accepted one, 0 where that is not measured
	accepted bool       // nobody waits at done
	done     chan error // capacity 1: nil once accepted, ErrClosed
}

// queued reports whether s still waits.
func (s *waiter[T]) queued() bool { return s.place.Linked() }

const maxFreeWaiters = 64

func (b *waiters[T]) len() int { return b.list.Len() }

// oldest returns the one that has waited longest, nil if none does.
func (b *waiters[T]) oldest() *waiter[T] { return b.list.Front() }

func (b *waiters[T]) push(v T) *waiter[T] {
	s := b.free
	if s != nil {
		b.free, s.next = s.next, nil
		b.frees--
	} else {
		s = &waiter[T]{done: make(chan error, 1)}
		s.place.Value = s
	}
	s.val = v
	b.list.PushBack(&s.place)
	return s
}

// pushAccepted is push for a value that has been accepted already.
func (b *waiters[T]) pushAccepted(it item[T]) {
	s := b.push(it.val)
	s.at, s.accepted = it.at, true
	b.accepted++
}

func (b *waiters[T]) remove(s *waiter[T]) {
	b.list.Remove(&s.place)
	var zero T
	s.val = zero
	if s.accepted {
		s.at, s.accepted = 0, false
		b.accepted--
		b.recycle(s)
	}
}

// recycle takes back a waiter that is out of the list and whose done channel is
// empty.
func (b *waiters[T]) recycle(s *waiter[T]) {
	if b.frees < maxFreeWaiters {
		s.next, b.free = b.free, s
		b.frees++
	}
}

// takeSubmitters removes those that are not accepted and returns them.
func (b *waiters[T]) takeSubmitters() (out []*waiter[T]) {
	for s := range b.list.All() {
		if !s.accepted {
			b.remove(s)
			out = append(out, s)
		}
	}
	return out
}
