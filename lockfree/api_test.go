package lockfree_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/lockfree"
)

func TestZeroValueIsReady(t *testing.T) {
	for name, q := range map[string]lockfree.Interface[string]{"Queue": new(lockfree.Queue[string]), "MSQueue": new(lockfree.MSQueue[string])} {
		t.Run(name, func(t *testing.T) {
			_, ok := q.TryDequeue()
			require.False(t, ok)
			require.Zero(t, q.Len())
			require.Zero(t, q.Stats())
			require.Zero(t, q.TryDequeueBatch(make([]string, 2)))
			require.NoError(t, q.TryEnqueue("a"))
			require.Equal(t, 1, q.Len())
			v, ok := q.TryDequeue()
			require.True(t, ok)
			require.Equal(t, "a", v)
		})
		t.Run(name+"/Close first", func(t *testing.T) {
			var q lockfree.Interface[string] = new(lockfree.MSQueue[string])
			if name == "Queue" {
				q = new(lockfree.Queue[string])
			}
			require.NoError(t, q.Close())
			require.Equal(t, lockfree.ErrClosed, q.TryEnqueue("a"))
			_, err := q.Dequeue(t.Context())
			require.Equal(t, lockfree.ErrClosed, err)
		})
	}
}

func TestBoundedZeroValuePanics(t *testing.T) {
	q := new(lockfree.Bounded[int])
	for name, f := range map[string]func(){
		"TryEnqueue":   func() { _ = q.TryEnqueue(1) },
		"Enqueue":      func() { _ = q.Enqueue(t.Context(), 1) },
		"EnqueueBatch": func() { _, _ = q.TryEnqueueBatch([]int{1}) },
		"TryDequeue":   func() { q.TryDequeue() },
		"Len":          func() { q.Len() },
		"Close":        func() { q.Close() },
		"Stats":        func() { q.Stats() },
	} {
		require.PanicsWithValue(t, "lockfree: Bounded must be made by NewBounded", f, name)
	}
}

func TestNilContextPanics(t *testing.T) {
	var none context.Context
	for _, k := range lockfree.Kinds[int](0) {
		q := k.Make()
		for name, f := range map[string]func(){
			"Dequeue":      func() { _, _ = q.Dequeue(none) },
			"DequeueBatch": func() { _, _ = q.DequeueBatch(none, nil) },
			"All":          func() { q.All(none) },
		} {
			require.PanicsWithValue(t, "lockfree: nil Context", f, k.Name+"."+name)
		}
	}
	q := lockfree.Must(lockfree.NewBounded[int](1))
	require.PanicsWithValue(t, "lockfree: nil Context", func() { _ = q.Enqueue(none, 1) })
	require.PanicsWithValue(t, "lockfree: nil Context", func() { _, _ = q.EnqueueBatch(none, []int{}) })
}

func TestFIFOThroughManyRings(t *testing.T) {
	for _, k := range lockfree.RoomyKinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			for i := range 1000 {
				require.NoError(t, q.TryEnqueue(i))
			}
			require.Equal(t, 1000, q.Len())
			for i := range 1000 {
				v, ok := q.TryDequeue()
				require.True(t, ok)
				require.Equal(t, i, v)
			}
			_, ok := q.TryDequeue()
			require.False(t, ok)
			s := q.Stats()
			require.EqualValues(t, 1000, s.Enqueued)
			require.EqualValues(t, 1000, s.Dequeued)
			require.GreaterOrEqual(t, s.HighWater, 1000-63)
		})
	}
}

func TestBatches(t *testing.T) {
	for _, k := range lockfree.RoomyKinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			n, err := q.TryEnqueueBatch(nil)
			require.Zero(t, n)
			require.NoError(t, err)
			var want, got []int
			next := 0
			for size := range 200 {
				vs := make([]int, size)
				for i := range vs {
					vs[i] = next
					next++
				}
				want = append(want, vs...)
				n, err := q.TryEnqueueBatch(vs)
				require.NoError(t, err)
				require.Equal(t, size, n)
				clear(vs) // vs is not kept
				if size%3 == 0 {
					buf := make([]int, size+7)
					got = append(got, buf[:q.TryDequeueBatch(buf)]...)
				}
			}
			require.Zero(t, q.TryDequeueBatch(nil))
			buf := make([]int, len(want))
			got = append(got, buf[:q.TryDequeueBatch(buf)]...)
			require.Equal(t, want, got)
			require.Zero(t, q.TryDequeueBatch(buf))

			n, err = q.DequeueBatch(t.Context(), nil)
			require.Zero(t, n)
			require.NoError(t, err)
			require.NoError(t, q.Close())
			n, err = q.TryEnqueueBatch([]int{1, 2})
			require.Zero(t, n)
			require.Equal(t, lockfree.ErrClosed, err)
			_, err = q.DequeueBatch(t.Context(), buf)
			require.Equal(t, lockfree.ErrClosed, err)
		})
	}
}

func TestCloseKeepsValues(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			for i := range 3 {
				require.NoError(t, q.TryEnqueue(i))
			}
			require.NoError(t, q.Close())
			require.NoError(t, q.Close())
			require.Equal(t, lockfree.ErrClosed, q.TryEnqueue(9))
			for i := range 3 {
				v, err := q.Dequeue(t.Context())
				require.NoError(t, err)
				require.Equal(t, i, v)
			}
			_, err := q.Dequeue(t.Context())
			require.Equal(t, lockfree.ErrClosed, err)
			require.Zero(t, q.Len())
		})
	}
}

func TestDrain(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			fill := func() {
				for i := range 3 {
					require.NoError(t, q.TryEnqueue(i))
				}
			}
			fill()
			drain := q.Drain()
			require.Equal(t, []int{0, 1, 2}, slices.Collect(drain))
			fill()
			for v := range drain {
				require.Equal(t, 0, v)
				break
			}
			require.Equal(t, []int{1, 2}, slices.Collect(drain), "an early break loses nothing")
		})
	}
}

// A panic in the loop's body takes the value that it was given and no other.
func TestDrainBodyPanicLosesNothingFurther(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		q := k.Make()
		for i := range 3 {
			require.NoError(t, q.TryEnqueue(i))
		}
		require.PanicsWithError(t, "boom", func() {
			for v := range q.Drain() {
				if v == 1 {
					panic(errors.New("boom"))
				}
			}
		})
		require.Equal(t, []int{2}, slices.Collect(q.Drain()))
	}
}

func TestEndedContextGoesBeforeAValue(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, k := range lockfree.Kinds[int](0) {
		q := k.Make()
		require.NoError(t, q.TryEnqueue(1))
		_, err := q.Dequeue(ctx)
		require.Equal(t, context.Canceled, err)
		_, err = q.DequeueBatch(ctx, make([]int, 1))
		require.Equal(t, context.Canceled, err)
		pairs := 0
		for v, err := range q.All(ctx) {
			require.Zero(t, v)
			require.Equal(t, context.Canceled, err)
			pairs++
		}
		require.Equal(t, 1, pairs, "the error comes once")
		require.Equal(t, 1, q.Len())
	}
	b := lockfree.Must(lockfree.NewBounded[int](1))
	require.Equal(t, context.Canceled, b.Enqueue(ctx, 1))
	_, err := b.EnqueueBatch(ctx, []int{1})
	require.Equal(t, context.Canceled, err)
	require.Zero(t, b.Len())
}
