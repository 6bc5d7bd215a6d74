package lockfree

import (
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/stats"
)

// msCore is the queue of M. M. Michael and M. L. Scott, Simple, Fast, and
// Practical Non-Blocking and Blocking Concurrent Queue Algorithms, PODC 1996. The
// garbage collector takes the place of its counted pointers: a node's address is
// not used again while somebody holds it.
//
// Invariants: the nodes from head on are linked by next; a node is inserted only
// behind the last one and removed only at the front; head is a dummy; tail moves
// only forwards, each time from the node that it was compared with, and every node
// from tail to the last is linked.
//
// Dequeues do not look at tail, so head may pass it. An enqueue then finds dead
// nodes at tail and follows them; if it comes to one that was cut (it points to
// itself), it goes on from head, which is further.
//
// Linearization: an enqueue at its compare-and-swap of the last node's next, Close
// at the same, a dequeue at its compare-and-swap of head, an empty one at reading
// that head has no next, Len at reading that the last node has none.
type msCore[T any] struct {
	_    stats.Pad
	tail atomic.Pointer[msNode[T]]
	_    stats.Pad
	head atomic.Pointer[msNode[T]]
	_    stats.Pad

	name    string
	origin  uint64 // seq of the first dummy
	end     msNode[T]
	stashes msStashes[T]
	peekers peekers[*msNode[T]]

	notEmpty waiters
	_        stats.Pad
	enqGov   governor
	_        stats.Pad
	deqGov   governor
	_        stats.Pad

	highWater peak
}

func (q *msCore[T]) init() {
	if q.head.Load() == nil {
		q.head.CompareAndSwap(nil, &msNode[T]{seq: q.origin})
	}
	// Nothing is linked before tail is set, so head is still the dummy.
	q.tail.CompareAndSwap(nil, q.head.Load())
}

// enqueue adds v: link for one, written out.
func (q *msCore[T]) enqueue(v T) error {
	n := q.stashes.node(v)
	if t := q.tail.Load(); t != nil && t.next.Load() == nil {
		seq := t.seq + 1
		n.seq = seq
		step(msLooked)
		if t.next.CompareAndSwap(nil, n) {
			step(msLinked)
			q.tail.CompareAndSwap(t, n)
			if q.notEmpty.unclaimed.Load() > 0 || seq&(sampleEvery-1) == 0 {
				q.enqueued(seq, 1)
			}
			return nil
		}
		q.enqGov.lost(seq * one)
	}
	err := q.link(n, n, 1)
	if err != nil {
		forget(n, n)
	}
	return err
}

// link appends the chain from first to last of n nodes; their seq are set here.
func (q *msCore[T]) link(first, last *msNode[T], n int) error {
	lost := 0
	if n == 1 {
		lost = 1 // enqueue may have
	}
	for {
		t := q.tail.Load()
		if t == nil {
			q.init()
			continue
		}
		switch next := t.next.Load(); next {
		case nil:
			seq := t.seq
			for x := first; ; x = x.next.Load() {
				seq++
				x.seq = seq
				if x == last {
					break
				}
			}
			step(msLooked)
			if !t.next.CompareAndSwap(nil, first) {
				q.enqGov.lostRun(seq*one, n, lost)
				lost++
				continue
			}
			step(msLinked)
			q.tail.CompareAndSwap(t, last)
			q.enqueued(seq, n)
			return nil
		case &q.end:
			return ErrClosed
		case t:
			q.tail.CompareAndSwap(t, q.head.Load())
		default:
			step(msHelping)
			q.tail.CompareAndSwap(t, next)
		}
	}
}

// enqueued does what follows n values linked, the last of which is seq.
func (q *msCore[T]) enqueued(seq uint64, n int) {
	q.notEmpty.wake(n)
	if seq&(sampleEvery-1) < uint64(n) {
		q.stashes.prepare()
		q.sample()
	}
}

// take removes up to len(buf) values from the front with one compare-and-swap.
func (q *msCore[T]) take(buf []T) int {
	lost := 0
	for {
		h := q.head.Load()
		if h == nil {
			return 0
		}
		last, n := h, 0
		for n < len(buf) {
			next := last.next.Load()
			if next == nil || next == &q.end || next == last {
				break
			}
			last = next
			n++
		}
		if n == 0 {
			if h.next.Load() == h {
				continue // h is old
			}
			return 0
		}
		step(msFound)
		if !q.head.CompareAndSwap(h, last) {
			q.deqGov.lostRun(h.seq*one, n, lost)
			lost++
			continue
		}
		step(msTook)
		// The values from h.next to last are ours alone.
		x := h
		for i := range n {
			next := x.next.Load()
			buf[i] = next.val
			if i == 0 && q.peekers.in.Load() != 0 { // they read the one that was the oldest
				q.peekers.keep(next, (*msNode[T]).clear)
			} else {
				next.clear()
			}
			step(msRead)
			x.cut(next)
			x = next
		}
		return n
	}
}

// dequeue removes the oldest value: take for one.
func (q *msCore[T]) dequeue() (v T, ok bool) {
	lost := 0
	for {
		h := q.head.Load()
		if h == nil {
			return v, false
		}
		next := h.next.Load()
		if next == nil || next == &q.end {
			return v, false
		}
		if next == h {
			continue // h is old
		}
		step(msFound)
		if !q.head.CompareAndSwap(h, next) {
			q.deqGov.lostRun(h.seq*one, 1, lost)
			lost++
			continue
		}
		step(msTook)
		v = next.val
		if q.peekers.in.Load() != 0 {
			q.peekers.keep(next, (*msNode[T]).clear)
		} else {
			next.clear()
		}
		step(msRead)
		h.cut(next)
		return v, true
	}
}

// counts returns the seq of head and of the last node at one moment.
func (q *msCore[T]) counts() (head, last uint64, closed bool) {
	for {
		h := q.head.Load()
		step(msCounting)
		t := q.tail.Load()
		if h == nil || t == nil {
			return q.origin, q.origin, false
		}
		switch next := t.next.Load(); next {
		case nil, &q.end:
			if q.head.Load() == h {
				return h.seq, t.seq, next != nil
			}
		case t:
			q.tail.CompareAndSwap(t, q.head.Load())
		default:
			q.tail.CompareAndSwap(t, next)
		}
	}
}

func (q *msCore[T]) sample() int {
	h, t, _ := q.counts()
	n := int(t - h)
	q.highWater.note(n)
	return n
}

func (q *msCore[T]) isOver() bool {
	h, t, closed := q.counts()
	return closed && h == t
}

func (q *msCore[T]) isInhabited() bool { return q.sample() > 0 }
