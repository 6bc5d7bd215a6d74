package connpool

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Any order of operations, against a slice: order, counts, and what each relies on.
func TestWaitersInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var q waiters[int]
	var model []*waiter[int]
	var woken []*waiter[int]
	for range long(t, 3000) {
		switch op := rng.IntN(7); {
		case op < 2:
			w := &waiter[int]{}
			q.push(w)
			model = append(model, w)
			require.EqualValues(t, 1, w.turn)
		case len(model) == 0:
		case op == 2: // leaves, or is served
			i := rng.IntN(len(model))
			w := model[i]
			model = slices.Delete(model, i, i+1)
			j := w.dial
			require.Same(t, j, q.drop(w, waitGranted))
			require.Nil(t, w.dial)
			require.False(t, w.claims)
			if j != nil {
				require.Nil(t, j.waiter)
			}
			q.granted(w)
			woken = append(woken, w) // and is woken when mu is unlocked
		case op == 3:
			if w := q.first(); w != nil {
				w.dial = &dialJob[int]{waiter: w}
			}
		case op == 4:
			if w := model[rng.IntN(len(model))]; w.dial != nil {
				w.dial.late = true
			}
		case op == 5:
			q.returning++
			if w := q.first(); w != nil && q.mayClaim() {
				q.claim(w, true, time.NewTimer(time.Hour))
			}
		case op == 6 && q.returning > 0:
			q.returned()
		}
		require.LessOrEqual(t, q.returningClaims, q.returning)
		require.True(t, slices.Equal(model, slices.Collect(q.all)), "the order")
		require.Equal(t, len(model), q.n)
		claims := 0
		var first *waiter[int]
		for _, w := range model {
			if w.claims {
				claims++
			} else if first == nil && (w.dial == nil || w.dial.late) {
				first = w
			}
		}
		require.Equal(t, claims, q.claims)
		require.Same(t, first, q.first())
		require.Equal(t, len(model)-claims-2, q.unserved(2))
		if rng.IntN(10) == 0 {
			for w := q.takeGranted(); w != nil; w = w.next {
				require.Same(t, woken[0], w, "in the order of the grants")
				woken = woken[1:]
			}
			require.Empty(t, woken)
		}
	}
}
