package lockfree_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/lockfree"
)

// age makes waiters and signallers meet in every way for a while: waits that are
// served, that are cancelled at the moment of their signal, that find a value after
// they registered; single values and batches; and for a Bounded waits for room too.
func age(t *testing.T, q lockfree.Interface[int], rounds int) {
	t.Helper()
	b, bounded := q.(*lockfree.Bounded[int])
	ctx, stop := context.WithCancel(context.Background())
	var producers, consumers sync.WaitGroup
	for g := range 4 {
		producers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 11))
			for range rounds {
				mine, cancel := context.WithCancel(ctx)
				switch k := rng.IntN(8); {
				case k == 0:
					_, _ = q.TryEnqueueBatch([]int{1, 2, 3})
				case k == 1 && bounded:
					go cancel()
					_ = b.Enqueue(mine, 1)
				case k == 2 && bounded:
					go cancel()
					_, _ = b.EnqueueBatch(mine, []int{1, 2, 3, 4, 5})
				default:
					_ = q.TryEnqueue(1)
				}
				cancel()
				if rng.IntN(3) == 0 {
					runtime.Gosched()
				}
			}
		})
		consumers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 12))
			for ctx.Err() == nil {
				mine, cancel := context.WithCancel(ctx)
				if rng.IntN(3) == 0 {
					go cancel()
				}
				if rng.IntN(4) == 0 {
					_, _ = q.DequeueBatch(mine, make([]int, 2))
				} else {
					_, _ = q.Dequeue(mine)
				}
				cancel()
			}
		})
	}
	done := make(chan struct{})
	go func() { producers.Wait(); stop(); consumers.Wait(); close(done) }()
	lockfree.Finishes(t, done, "the ageing")
	for range q.Drain() {
	}
}

// handOvers returns how often goroutines parked and were woken in q while one waited
// for each of n values, which is n times.
func handOvers(t *testing.T, q lockfree.Interface[int], n int) (waits, wakeups uint64) {
	before := q.Stats()
	for range n {
		got := make(chan struct{})
		go func() {
			defer close(got)
			_, err := q.Dequeue(t.Context())
			if err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		require.NoError(t, q.TryEnqueue(1))
		<-got
	}
	s := q.Stats()
	return s.Waits - before.Waits, s.Wakeups - before.Wakeups
}

// A signal that nobody takes once stayed for ever: queues that had been busy woke a
// lone waiter hundreds of times for nothing, and their enqueues always found
// "waiters" to signal.
func TestOldQueueIsAsQuietAsANewOne(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			for round := range lockfree.Scale(3, 6, 100) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 + 6*(round%2)))
				synctest.Test(t, func(t *testing.T) {
					q := k.Make()
					newWaits, newWakeups := handOvers(t, q, 10)
					age(t, q, lockfree.Scale(300, 1500, 3000))
					synctest.Wait()
					lockfree.NobodyLeft(t, q)
					waits, wakeups := handOvers(t, q, 10)
					require.EqualValues(t, 10, newWaits)
					require.Equal(t, newWaits, waits, "waits of an old queue")
					require.Equal(t, newWakeups, wakeups, "wake-ups of an old queue")
				})
			}
		})
	}
}

// A wait that a ctx with a panicking Done begins leaves no trace.
func TestPanickingContextLeavesNoTrace(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		q := k.Make()
		require.Panics(t, func() { _, _ = q.Dequeue(badCtx{t.Context()}) })
		lockfree.NobodyLeft(t, q)
		require.NoError(t, q.TryEnqueue(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		v, err := q.Dequeue(ctx)
		cancel()
		require.NoError(t, err)
		require.Equal(t, 1, v)
	}
}

type badCtx struct{ context.Context }

func (badCtx) Done() <-chan struct{} { panic("no Done") }
