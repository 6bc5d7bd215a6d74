package lockfree

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"
)

// A value that is taken while somebody peeks at it is not written to until nobody
// reads it, and is not kept after that; nor does its slot stay out of use.
func TestPeekedValueIsFreedByTheLastPeeker(t *testing.T) {
	q := New[*heavy]()
	var ps []weak.Pointer[heavy]
	for i := range 100 {
		v := new(heavy)
		ps = append(ps, weak.Make(v))
		require.NoError(t, q.Enqueue(v))
		r := q.l.head.Load()
		h := r.head.Load()
		for range 2 {
			r.peekers.join() // two that read it
		}
		if i%2 == 0 {
			_, ok := q.TryDequeue()
			require.True(t, ok)
		} else {
			require.Equal(t, 1, q.TryDequeueBatch(make([]*heavy, 3)))
		}
		require.Same(t, v, *r.val(h), "still there to be read")
		r.peekers.leave(r.release)
		require.Same(t, v, *r.val(h), "one still reads")
		r.peekers.leave(r.release)
		require.Nil(t, *r.val(h))
	}
	require.Zero(t, alive(ps))
	require.EqualValues(t, 1, q.Stats().Rings, "the slots are in use again")
	require.Zero(t, q.Stats().Barred)

	ms := NewMS[*heavy]()
	v := new(heavy)
	ps = []weak.Pointer[heavy]{weak.Make(v)}
	require.NoError(t, ms.Enqueue(v))
	v = nil
	ms.q.peekers.join()
	_, ok := ms.TryDequeue()
	require.True(t, ok)
	require.Equal(t, 1, alive(ps))
	ms.q.peekers.leave((*msNode[*heavy]).clear)
	require.Zero(t, alive(ps))
	runtime.KeepAlive(ms)
}

// Where somebody peeks at every moment the list of what is to be freed grows. Those that
// leave beside another do not walk along it.
func TestLeavingBesideAnotherPeekerIsShort(t *testing.T) {
	const places = 50_000
	visits := func(kept int) time.Duration {
		var p peekers[int]
		free := func(int) { kept-- }
		p.join()
		for range kept {
			p.keep(0, free)
		}
		start := time.Now()
		for range 1000 { // one comes before the other leaves
			p.join()
			p.leave(free)
		}
		took := time.Since(start)
		p.leave(free)
		require.Zero(t, kept, "the last one frees all")
		require.Nil(t, p.kept.Load())
		return took
	}
	few, many := visits(1), visits(places)
	for range 5 { // a slow moment of the machine is not the list's
		few, many = max(few, visits(1)), min(many, visits(places))
	}
	require.Less(t, many, 50*few+time.Millisecond, "with 1 place %v", few)
}
