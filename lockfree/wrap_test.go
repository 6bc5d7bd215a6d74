package lockfree

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The tickets of these queues start just before their words overflow.
const nearWrap = 1<<62 - 20

func TestWrapAround(t *testing.T) {
	for start := uint64(nearWrap); start < nearWrap+24; start++ {
		for _, k := range kinds[int](start) {
			q := k.make()
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
			require.Equal(t, ErrClosed, err)
		}
	}
}

// TestWrapAroundConcurrently crosses the wrap-around with eight goroutines.
func TestWrapAroundConcurrently(t *testing.T) {
	for _, k := range kinds[int32](nearWrap - 500) {
		t.Run(k.name, func(t *testing.T) {
			for range 5 {
				lives, empties := observe(t, k.make(), 8, 2000)
				if bad := aspects(lives, empties); bad != "" {
					t.Fatal(bad)
				}
			}
		})
	}
}

// A sealed ring must refuse values, wherever its tickets are. A seal bit so high
// that the arithmetic of slots lost it once let sealed rings accept values.
func TestSealedRingRefuses(t *testing.T) {
	for _, start := range []uint64{0, 1, 1 << 29, 1 << 30, 1 << 59, 1 << 60, 1 << 61, nearWrap + 19, 1<<62 - 1} {
		q := kinds[int](start)[0].make().(*Queue[int])
		require.NoError(t, q.Enqueue(1))
		r := q.l.tail.Load()
		at := r.tail.Load()
		require.True(t, r.tail.CompareAndSwap(at, at|sealed))
		require.NoError(t, q.Enqueue(2))
		_, err := q.TryEnqueueBatch([]int{3, 4})
		require.NoError(t, err)
		require.Equal(t, at|sealed, r.tail.Load(), "the sealed ring gave no ticket")
		for want := 1; want <= 4; want++ {
			v, ok := q.TryDequeue()
			require.True(t, ok)
			require.Equal(t, want, v)
		}
		require.EqualValues(t, 2, q.Stats().Rings)
	}
}
