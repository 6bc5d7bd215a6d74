package lockfree_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/lockfree"
)

func TestWrapAround(t *testing.T) {
	for start := uint64(lockfree.NearWrap); start < lockfree.NearWrap+24; start++ {
		for _, k := range lockfree.Kinds[int](start) {
			q := k.Make()
			next, want := 0, 0
			for next < 100 {
				if q.TryEnqueue(next) == nil {
					next++
				}
				if n, _ := q.TryEnqueueBatch([]int{next, next + 1}); n > 0 {
					next += n
				}
				require.Equal(t, next-want, q.Len())
				buf := make([]int, 3)
				for _, v := range buf[:q.TryDequeueBatch(buf)] {
					require.Equal(t, want, v)
					want++
				}
				require.Equal(t, next-want, q.Len())
			}
			s := q.Stats()
			require.EqualValues(t, next, s.Enqueued)
			require.EqualValues(t, want, s.Dequeued)
			q.Close()
			for v := range q.Drain() {
				require.Equal(t, want, v)
				want++
			}
			require.Equal(t, next, want)
			_, err := q.Dequeue(t.Context())
			require.Equal(t, lockfree.ErrClosed, err)
		}
	}
}

// TestWrapAroundConcurrently crosses the wrap-around with eight goroutines.
func TestWrapAroundConcurrently(t *testing.T) {
	for _, k := range lockfree.Kinds[int32](lockfree.NearWrap - 500) {
		t.Run(k.Name, func(t *testing.T) {
			for range 5 {
				lives, empties := observe(t, k.Make(), 8, 2000)
				if bad := aspects(lives, empties); bad != "" {
					t.Fatal(bad)
				}
			}
		})
	}
}
