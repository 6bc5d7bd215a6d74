package connpool

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Any order of operations, against a slice: order, counts, and what each relies on.
func TestWaitersInAnyOrder(t *testing.T) {
	rng := NewRand(t)
	g, dials := new(gate), new(dialer)
	q := waiters[int]{gate: g, dials: dials}
	var model []*waiter[int]
	var woken []*waiter[int]
	for range Long(t, 3000) {
		switch op := rng.IntN(8); {
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
			j, late := w.dial, dials.late
			if leaves := rng.IntN(2) == 0; leaves {
				if j != nil && !j.late {
					late++
				}
				q.drop(w, waitGone)
			} else {
				q.grant(w, Conn[int]{}, errDown)
				require.Equal(t, errDown, w.err)
				woken = append(woken, w) // and is woken when mu is unlocked
			}
			require.Equal(t, late, dials.late, "a dial that its waiter gave up")
			require.Nil(t, w.dial)
			require.False(t, w.claims)
			if j != nil {
				require.Nil(t, j.waiter)
			}
		case op == 3:
			if w := q.first(); w != nil {
				w.dial = &dialJob[int]{waiter: w}
				dials.begin(&w.dial.pending, 0)
			}
		case op == 4:
			if w := model[rng.IntN(len(model))]; w.dial != nil {
				dials.giveUp(&w.dial.pending)
			}
		case op == 5:
			q.returning++
			if w := q.first(); w != nil && q.mayClaim() {
				q.claim(w, true, time.Duration(1+rng.IntN(100)))
			}
		case op == 6 && q.returning > 0:
			q.returned()
		case op == 7: // patience ends
			now := time.Duration(1 + rng.IntN(100))
			var lose []*waiter[int]
			next := time.Duration(0)
			for _, w := range model {
				switch {
				case !w.claims:
				case w.until <= now:
					lose = append(lose, w)
				case next == 0 || w.until < next:
					next = w.until
				}
			}
			require.Equal(t, next, q.loseBy(now))
			for _, w := range lose {
				require.False(t, w.claims)
				require.True(t, w.impatient)
			}
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
		require.Equal(t, len(model)-claims-dials.supply(), q.unserved())
		require.Equal(t, len(model) > 0, g.Load() == gateWaiters, "the gate")
		if rng.IntN(10) == 0 {
			for w := q.takeGranted(); w != nil; w = w.next {
				require.Same(t, woken[0], w, "in the order of the grants")
				woken = woken[1:]
			}
			require.Empty(t, woken)
		}
	}
}

// Who is served next: the oldest whose ctx lasts, and nobody during a Pause.
func TestWaitersNext(t *testing.T) {
	g, dials := new(gate), new(dialer)
	q := waiters[int]{gate: g, dials: dials}
	require.Nil(t, q.next())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	gone, a, b := &waiter[int]{done: ended.Done()}, &waiter[int]{done: t.Context().Done()}, &waiter[int]{}
	for _, w := range []*waiter[int]{gone, a, b} {
		q.push(w)
	}
	gone.dial = &dialJob[int]{waiter: gone}
	dials.begin(&gone.dial.pending, 0)
	q.pause(true)
	require.EqualValues(t, gateWaiters|gatePaused, g.Load())
	require.Nil(t, q.next())
	require.Equal(t, waitQueued, gone.state, "still in the queue")
	q.pause(false)
	require.Same(t, a, q.next())
	require.Equal(t, waitGone, gone.state)
	require.Zero(t, dials.supply(), "nobody relies on its dial")
	require.Same(t, a, q.next(), "it stays until it is granted")
	q.grant(a, Conn[int]{word: 7}, nil)
	require.Same(t, b, q.next())
	q.grantAll(errDown)
	require.Nil(t, q.next())
	require.Zero(t, g.Load())
	w := q.takeGranted()
	require.Same(t, a, w)
	require.Same(t, b, w.next)
	require.Nil(t, b.next)
	require.EqualValues(t, 7, a.conn.word)
	require.Equal(t, errDown, b.err)
	require.Nil(t, q.takeGranted())
}

// Waiters leave from any place, and those who stay keep theirs.
func TestQueueKeepsItsOrderWhoeverLeaves(t *testing.T) {
	q := waiters[int]{gate: new(gate), dials: new(dialer)}
	var ws [8]waiter[int]
	for i := range ws {
		q.push(&ws[i])
	}
	for _, i := range []int{3, 0, 7, 4} { // middle, head, tail, middle
		q.remove(&ws[i])
	}
	q.push(&ws[0])
	var got []int
	for w := range q.all {
		for i := range ws {
			if w == &ws[i] {
				got = append(got, i)
			}
		}
	}
	require.Equal(t, []int{1, 2, 5, 6, 0}, got)
	require.Equal(t, 5, q.n)
	for q.head != nil {
		q.remove(q.head)
	}
	require.Zero(t, q.n)
	require.Nil(t, q.tail)
}
