package lockfree

import (
	"math/bits"
	"unsafe"
)

// The methods here work on runs of tickets: up to all that one group serves with
// one access to its word.

// leftInGroup returns how many tickets from t on belong to t's group.
func leftInGroup[T any](t uint64) int {
	var v T
	size := uint64(1) << groupShift(unsafe.Sizeof(v))
	return int(size - t/one&(size-1))
}

// states returns the low bits of the n states from ticket t's on, of one group.
func states[T any](t uint64, n int) uint64 { return statesOf(place[T](t), uint64(n)) }

// statesOf is states for the n slots from place p on.
func statesOf(p, n uint64) uint64 { return odd >> (32 - 2*n) << p }

// run returns the values of the n tickets from t on, of one group.
func (r *ring[T]) run(t uint64, n int) []T {
	return unsafe.Slice(r.val(t), n)
}

// ready returns how many of the n tickets from t on, the next to be given, have
// slots that are ready, up to the first that has not. It renews their groups.
func (r *ring[T]) ready(t uint64, n int) int {
	for i := 0; i < n; {
		k := min(n-i, leftInGroup[T](t))
		w := r.word(t).Load()
		if uint32(w>>32) != stamp[T](t) {
			if behind(w, stamp[T](t)) && r.renew(t, w) {
				continue
			}
			return i
		}
		if not := w & (states[T](t, k) * state); not != 0 {
			return i + (bits.TrailingZeros64(not)-int(place[T](t)))/2
		}
		i += k
		t += uint64(k) * one
	}
	return n
}

// behind reports whether a group word is of an earlier lap than the group s.
func behind(w uint64, s uint32) bool { return int32(uint32(w>>32)-s) < 0 }

// inhabited returns how many of the n tickets from h on have values, up to the
// first that has not.
func (r *ring[T]) inhabited(h uint64, n int) int {
	for i := 0; i < n; {
		k := min(n-i, leftInGroup[T](h))
		w := r.word(h).Load()
		if uint32(w>>32) != stamp[T](h) {
			return i
		}
		if not := (w ^ full*odd) & (states[T](h, k) * state); not != 0 {
			return i + (bits.TrailingZeros64(not)-int(place[T](h)))/2
		}
		i += k
		h += uint64(k) * one
	}
	return n
}

// putRun writes and publishes the values of as many tickets from t on, which the
// caller took. It returns how many it published: fewer if a ticket was passed over,
// for values must not overtake one another. What is left of the tickets is the
// caller's to withdraw, from behind the one that was passed over.
func (r *ring[T]) putRun(t uint64, vs []T) (n int) {
	for n < len(vs) {
		k := min(len(vs)-n, leftInGroup[T](t))
		step(enqTook)
		copy(r.run(t, k), vs[n:])
		step(enqWrote)
		if !r.publishRun(t, k) {
			for range k {
				if !r.publish(t) {
					return n
				}
				n++
				t += one
			}
			continue
		}
		n += k
		t += uint64(k) * one
	}
	return n
}

// publishRun publishes the n tickets from t on, of one group, unless one of them was
// passed over.
func (r *ring[T]) publishRun(t uint64, n int) bool {
	g, ones := r.word(t), states[T](t, n)
	for {
		w := g.Load()
		if w&(ones*state) != 0 {
			return false
		}
		if g.CompareAndSwap(w, w|full*ones) {
			return true
		}
	}
}

// takeRun reads the values of as many tickets from h on as buf has room for, which
// the caller took, and leaves their slots to the next lap.
func (r *ring[T]) takeRun(h uint64, buf []T) {
	if r.peekers.in.Load() != 0 { // they read the one that was the oldest
		buf[0] = r.take(h)
		buf = buf[1:]
		h += one
	}
	for len(buf) > 0 {
		k := min(len(buf), leftInGroup[T](h))
		step(deqTook)
		vals := r.run(h, k)
		copy(buf, vals)
		clear(vals)
		step(deqRead)
		r.leaveRun(h, k)
		buf = buf[k:]
		h += uint64(k) * one
	}
}

// leaveRun makes the slots of the n tickets from t on, of one group, free.
func (r *ring[T]) leaveRun(t uint64, n int) {
	g, ones := r.word(t), states[T](t, n)
	for {
		step(leaving)
		w := g.Load()
		left := w | ones*free
		if uint32(w>>32) == stamp[T](t) {
			left = freed(left, t+uint64(n-1)*one, r.lap(), groupShift(unsafe.Sizeof(r.vals[0])))
		}
		if g.CompareAndSwap(w, left) {
			return
		}
	}
}

// withdraw gives up the tickets from t to end, which the caller took and has not
// published. It returns how many of them nobody had passed over.
func (r *ring[T]) withdraw(t, end uint64) (n uint64) {
	for ; t != end; t += one {
		var zero T
		*r.val(t) = zero
		step(leaving)
		p := place[T](t)
		if r.word(t).Or(free<<p)>>p&state == empty {
			n++
		}
	}
	return n
}
