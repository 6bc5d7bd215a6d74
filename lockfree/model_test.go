package lockfree_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/lockfree"
)

// TestAgainstModel drives each queue with random calls beside a slice.
func TestAgainstModel(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				q := k.Make()
				capacity := 1 << 30
				if b, ok := q.(*lockfree.Bounded[int]); ok {
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
							want = lockfree.ErrClosed
						} else if len(model) == capacity {
							want = lockfree.ErrFull
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
							fit, want = 0, lockfree.ErrClosed
						} else if fit < len(vs) {
							want = lockfree.ErrFull
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
