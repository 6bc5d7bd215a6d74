package lockfree

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/internal/rt"
)

func TestZeroValueIsReady(t *testing.T) {
	for name, q := range map[string]Interface[string]{"Queue": new(Queue[string]), "MSQueue": new(MSQueue[string])} {
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
			var q Interface[string] = new(MSQueue[string])
			if name == "Queue" {
				q = new(Queue[string])
			}
			require.NoError(t, q.Close())
			require.Equal(t, ErrClosed, q.TryEnqueue("a"))
			_, err := q.Dequeue(t.Context())
			require.Equal(t, ErrClosed, err)
		})
	}
}

func TestBoundedZeroValuePanics(t *testing.T) {
	q := new(Bounded[int])
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

func TestConstructorsRejectNonsense(t *testing.T) {
	most := min(int64(maxCapacity), math.MaxInt)
	for _, capacity := range []int{0, -3, math.MinInt, math.MaxInt} {
		q, err := NewBounded[int](capacity)
		if int64(capacity) == most { // where an int has 32 bits
			require.NoError(t, err)
			continue
		}
		require.Nil(t, q)
		require.EqualError(t, err, fmt.Sprintf("lockfree: Bounded: capacity %d is not in 1 to %d", capacity, most))
		require.PanicsWithError(t, err.Error(), func() { Must(NewBounded[int](capacity)) })
	}
	largest := Must(NewBounded[int](int(most)))
	require.EqualValues(t, most, largest.Cap())
	require.NoError(t, largest.TryEnqueue(1))
	require.Equal(t, 1, largest.Len())
	require.Panics(t, func() { WithRings(0, 4) })
	require.Panics(t, func() { WithRings(8, 4) })
	require.NotPanics(t, func() { New[int](WithRings(1, 1)) })
	require.NotPanics(t, func() { Must(NewBounded[int](1 << 30)) })
}

func TestNilContextPanics(t *testing.T) {
	var none context.Context
	for _, k := range kinds[int](0) {
		q := k.make()
		for name, f := range map[string]func(){
			"Dequeue":      func() { _, _ = q.Dequeue(none) },
			"DequeueBatch": func() { _, _ = q.DequeueBatch(none, nil) },
			"All":          func() { q.All(none) },
		} {
			require.PanicsWithValue(t, "lockfree: nil Context", f, k.name+"."+name)
		}
	}
	q := Must(NewBounded[int](1))
	require.PanicsWithValue(t, "lockfree: nil Context", func() { _ = q.Enqueue(none, 1) })
	require.PanicsWithValue(t, "lockfree: nil Context", func() { _, _ = q.EnqueueBatch(none, []int{}) })
}

func TestFIFOThroughManyRings(t *testing.T) {
	for _, k := range roomyKinds[int](0) {
		t.Run(k.name, func(t *testing.T) {
			q := k.make()
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
	for _, k := range roomyKinds[int](0) {
		t.Run(k.name, func(t *testing.T) {
			q := k.make()
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
			require.Equal(t, ErrClosed, err)
			_, err = q.DequeueBatch(t.Context(), buf)
			require.Equal(t, ErrClosed, err)
		})
	}
}

func TestCloseKeepsValues(t *testing.T) {
	for _, k := range kinds[int](0) {
		t.Run(k.name, func(t *testing.T) {
			q := k.make()
			for i := range 3 {
				require.NoError(t, q.TryEnqueue(i))
			}
			require.NoError(t, q.Close())
			require.NoError(t, q.Close())
			require.Equal(t, ErrClosed, q.TryEnqueue(9))
			for i := range 3 {
				v, err := q.Dequeue(t.Context())
				require.NoError(t, err)
				require.Equal(t, i, v)
			}
			_, err := q.Dequeue(t.Context())
			require.Equal(t, ErrClosed, err)
			require.Zero(t, q.Len())
		})
	}
}

func TestDrain(t *testing.T) {
	for _, k := range kinds[int](0) {
		t.Run(k.name, func(t *testing.T) {
			q := k.make()
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
	for _, k := range kinds[int](0) {
		q := k.make()
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

func TestBoundedIsExact(t *testing.T) {
	for capacity := 1; capacity < 40; capacity++ {
		q := newTinyBounded[int](capacity, 0)
		require.Equal(t, capacity, q.Cap())
		for round := range 5 {
			for i := range capacity {
				require.NoError(t, q.TryEnqueue(round+i))
			}
			require.Equal(t, ErrFull, q.TryEnqueue(0))
			n, err := q.TryEnqueueBatch([]int{1, 2})
			require.Zero(t, n)
			require.Equal(t, ErrFull, err)
			require.Equal(t, capacity, q.Len())
			_, ok := q.TryDequeue()
			require.True(t, ok)
			n, err = q.TryEnqueueBatch([]int{round + capacity, 2})
			require.Equal(t, 1, n)
			require.Equal(t, ErrFull, err)
			buf := make([]int, capacity+1)
			require.Equal(t, capacity, q.TryDequeueBatch(buf))
			require.Equal(t, round+1, buf[0])
			require.Equal(t, round+capacity, buf[capacity-1])
		}
		require.Equal(t, capacity, q.Stats().Cap)
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	if raceEnabled || chaotic {
		t.Skip("allocation counts are for the usual build")
	}
	ctx := t.Context()
	buf := make([]int, 64)
	q, b := New[int](), Must(NewBounded[int](100))
	for name, f := range map[string]func(){
		"Queue":         func() { _ = q.Enqueue(1); q.TryDequeue() },
		"Queue wait":    func() { _ = q.Enqueue(1); _, _ = q.Dequeue(ctx) },
		"Queue batch":   func() { _, _ = q.TryEnqueueBatch(buf); q.TryDequeueBatch(buf) },
		"Queue empty":   func() { q.TryDequeue() },
		"Queue stats":   func() { q.Stats(); q.Len() },
		"Bounded":       func() { _ = b.Enqueue(ctx, 1); _, _ = b.Dequeue(ctx) },
		"Bounded batch": func() { _, _ = b.EnqueueBatch(ctx, buf); _, _ = b.DequeueBatch(ctx, buf) },
		"Bounded full": func() {
			for b.TryEnqueue(1) == nil {
			}
			b.TryDequeueBatch(buf)
		},
	} {
		for range 500 { // until the rings have their size
			f()
		}
		require.Zero(t, testing.AllocsPerRun(1000, f), name)
	}
	ms := NewMS[int]()
	chunks := testing.AllocsPerRun(10, func() {
		for range 10 * chunkNodes {
			_ = ms.Enqueue(1)
			ms.TryDequeue()
		}
	})
	if rt.Pinned {
		require.LessOrEqual(t, chunks, 11.0, "a chunk for 15 values")
	} else {
		require.EqualValues(t, 10*chunkNodes, chunks, "a node for each")
	}
}

// TestAgainstModel drives each queue with random calls beside a slice.
func TestAgainstModel(t *testing.T) {
	for _, k := range kinds[int](0) {
		t.Run(k.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				q := k.make()
				capacity := 1 << 30
				if b, ok := q.(*Bounded[int]); ok {
					capacity = b.Cap()
				}
				var model []int
				var enqueued, dequeued uint64
				isClosed := false
				next := 0
				t.Repeat(map[string]func(*rapid.T){
					"enqueue": func(t *rapid.T) {
						next++
						want := error(nil)
						if isClosed {
							want = ErrClosed
						} else if len(model) == capacity {
							want = ErrFull
						} else {
							model = append(model, next)
							enqueued++
						}
						if err := q.TryEnqueue(next); err != want {
							t.Fatalf("TryEnqueue: %v, want %v", err, want)
						}
					},
					"batch": func(t *rapid.T) {
						vs := make([]int, rapid.IntRange(0, 20).Draw(t, "n"))
						for i := range vs {
							next++
							vs[i] = next
						}
						fit := min(len(vs), capacity-len(model))
						want := error(nil)
						if isClosed && len(vs) > 0 {
							fit, want = 0, ErrClosed
						} else if fit < len(vs) {
							want = ErrFull
						}
						model = append(model, vs[:fit]...)
						enqueued += uint64(fit)
						if n, err := q.TryEnqueueBatch(vs); n != fit || err != want {
							t.Fatalf("EnqueueBatch: %d, %v, want %d, %v", n, err, fit, want)
						}
					},
					"dequeue": func(t *rapid.T) {
						v, ok := q.TryDequeue()
						if ok != (len(model) > 0) || ok && v != model[0] || !ok && v != 0 {
							t.Fatalf("TryDequeue: %d, %v of %v", v, ok, model)
						}
						if ok {
							model = model[1:]
							dequeued++
						}
					},
					"dequeueBatch": func(t *rapid.T) {
						buf := make([]int, rapid.IntRange(0, 20).Draw(t, "n"))
						n := q.TryDequeueBatch(buf)
						if want := min(len(buf), len(model)); n != want || !slices.Equal(buf[:n], model[:n]) {
							t.Fatalf("TryDequeueBatch: %v of %v", buf[:n], model)
						}
						model = model[n:]
						dequeued += uint64(n)
					},
					"close": func(t *rapid.T) {
						if rapid.IntRange(0, 30).Draw(t, "really") == 0 {
							q.Close()
							isClosed = true
						}
					},
					"": func(t *rapid.T) {
						s := q.Stats()
						if s.Len != len(model) || q.Len() != len(model) || s.Enqueued != enqueued || s.Dequeued != dequeued || s.HighWater < s.Len {
							t.Fatalf("%+v with %d values, %d in, %d out", s, len(model), enqueued, dequeued)
						}
					},
				})
			})
		})
	}
}
