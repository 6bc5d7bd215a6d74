package lockfree

import "sync/atomic"

// peekers lets goroutines read a value that they do not take, while others may take
// it. The value's place is the taker's alone after it has won its compare-and-swap
// of head, but a peeker that came before may still be reading: so the taker, which
// only reads too, does not clear the place then, but leaves that to the peekers.
//
// A peeker joins before it reads head, so whoever takes that value afterwards sees
// the peeker. A taker that sees one puts the place on a list (keep), and the last
// peeker that leaves frees the places on it. A peeker takes the list before it leaves:
// if it was the last, nobody was reading any of these places at that moment, and later
// peekers read no place that head has passed.
type peekers[P any] struct {
	in   atomic.Int64 // those that may read
	kept atomic.Pointer[keptPlace[P]]
}

type keptPlace[P any] struct {
	place P
	next  *keptPlace[P]
}

func (p *peekers[P]) join() { p.in.Add(1) }

// leave ends what join began. It calls free for each place that nobody reads.
func (p *peekers[P]) leave(free func(P)) {
	for again := false; ; again = true { // two that seem not to be the last do not turn for ever
		var kept *keptPlace[P]
		// Who is not the last, as it seems, leaves the list alone: to put it back takes
		// a walk along it, and it may be long where somebody peeks at every moment.
		if p.kept.Load() != nil && (again || p.in.Load() == 1) {
			step(peekTaking)
			kept = p.kept.Swap(nil)
		}
		step(peekLeaving)
		if p.in.Add(-1) == 0 {
			for ; kept != nil; kept = kept.next {
				free(kept.place)
			}
		} else if kept != nil {
			p.push(kept)
		}
		// What was put there since is for those that are still in, if any.
		step(peekLeft)
		if p.kept.Load() == nil || p.in.Load() != 0 {
			return
		}
		p.join()
	}
}

// keep has place freed when nobody can be reading it any more.
func (p *peekers[P]) keep(place P, free func(P)) {
	step(deqKeeping)
	p.push(&keptPlace[P]{place: place})
	step(deqKept)
	if p.in.Load() == 0 { // they may not have seen it
		p.join()
		p.leave(free)
	}
}

// push puts a list of places on the list.
func (p *peekers[P]) push(first *keptPlace[P]) {
	last := first
	for last.next != nil {
		last = last.next
	}
	for {
		old := p.kept.Load()
		last.next = old
		if p.kept.CompareAndSwap(old, first) {
			return
		}
	}
}

// peek returns the oldest value and leaves it in the queue, or returns false if
// there is none.
//
// Linearization: at its reading of head if the ticket had been given by then, else
// when it was given; head was there at either moment.
func (l *list[T]) peek() (v T, ok bool) {
	for {
		r := l.head.Load()
		if r == nil {
			return v, false
		}
		r.peekers.join()
		step(peekJoined)
		h := r.head.Load()
		if r.inhabited(h, 1) == 1 {
			v = *r.val(h)
			step(peekRead)
			r.peekers.leave(r.release)
			return v, true
		}
		r.peekers.leave(r.release)
		if l.blocked(r, h) {
			return v, false
		}
	}
}

// keep leaves the slot of ticket h, whose value the caller took, to the peekers.
func (r *ring[T]) keep(h uint64) { r.peekers.keep(h, r.release) }

// release clears the value of ticket h, which the caller owns, and leaves its slot.
func (r *ring[T]) release(h uint64) {
	var zero T
	*r.val(h) = zero
	r.leave(h)
}

// peek is list's.
func (q *msCore[T]) peek() (v T, ok bool) {
	q.peekers.join()
	defer q.peekers.leave((*msNode[T]).clear)
	for {
		step(peekJoined)
		h := q.head.Load()
		if h == nil {
			return v, false
		}
		switch next := h.next.Load(); next {
		case nil, &q.end:
			return v, false
		case h: // h is old
		default:
			v = next.val
			step(peekRead)
			return v, true
		}
	}
}

func (n *msNode[T]) clear() {
	var zero T
	n.val = zero
}
