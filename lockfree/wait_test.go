package lockfree_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/lockfree"
)

// inBubbles runs f with each queue in a synctest bubble, where waiting goroutines
// must be durably blocked.
func inBubbles(t *testing.T, f func(t *testing.T, q lockfree.Interface[int])) {
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, k.Make()) })
		})
	}
}

func TestDequeueWaitsForAValue(t *testing.T) {
	inBubbles(t, func(t *testing.T, q lockfree.Interface[int]) {
		start := time.Now()
		time.AfterFunc(time.Hour, func() { _ = q.TryEnqueue(7) })
		v, err := q.Dequeue(t.Context())
		require.NoError(t, err)
		require.Equal(t, 7, v)
		require.Equal(t, time.Hour, time.Since(start))
		s := q.Stats()
		require.EqualValues(t, 1, s.Waits)
		require.EqualValues(t, 1, s.Wakeups)

		time.AfterFunc(time.Hour, func() { _, _ = q.TryEnqueueBatch([]int{1, 2}) })
		buf := make([]int, 5)
		n, err := q.DequeueBatch(t.Context(), buf)
		require.NoError(t, err)
		require.GreaterOrEqual(t, n, 1)
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	inBubbles(t, func(t *testing.T, q lockfree.Interface[int]) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		_, err := q.Dequeue(ctx)
		require.Equal(t, context.DeadlineExceeded, err)
		require.Equal(t, time.Minute, time.Since(start))
		empty, _ := lockfree.WaitersOf(q)
		require.Zero(t, empty, "a cancelled waiter leaves no trace")
		require.NoError(t, q.TryEnqueue(1))
		require.Equal(t, 1, q.Len())
	})
}

func TestCloseWakesEveryWaiter(t *testing.T) {
	inBubbles(t, func(t *testing.T, q lockfree.Interface[int]) {
		const n = 50
		var ended atomic.Int64
		for range n {
			go func() {
				if _, err := q.Dequeue(t.Context()); err == lockfree.ErrClosed {
					ended.Add(1)
				}
			}()
		}
		synctest.Wait()
		empty, _ := lockfree.WaitersOf(q)
		require.EqualValues(t, n, empty)
		q.Close()
		synctest.Wait()
		require.EqualValues(t, n, ended.Load())
	})
}

func TestEnqueueWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := lockfree.NewTinyBounded[int](2, 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n, err := q.EnqueueBatch(ctx, []int{1, 2, 3})
		require.Equal(t, 2, n)
		require.Equal(t, context.DeadlineExceeded, err)
		require.Equal(t, context.DeadlineExceeded, q.Enqueue(ctx, 3))
		require.Equal(t, 2, q.Len())

		done := make(chan error, 2)
		go func() { done <- q.Enqueue(t.Context(), 3) }()
		synctest.Wait()
		v, _ := q.TryDequeue()
		require.Equal(t, 1, v)
		synctest.Wait()
		require.NoError(t, <-done)
		require.Equal(t, 2, q.Len())

		go func() {
			n, err := q.EnqueueBatch(t.Context(), []int{4, 5, 6, 7, 8})
			require.Equal(t, 5, n)
			done <- err
		}()
		for want := 2; want <= 8; want++ {
			v, err := q.Dequeue(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, v)
		}
		require.NoError(t, <-done)

		require.NoError(t, q.TryEnqueue(1))
		require.NoError(t, q.TryEnqueue(2))
		go func() { done <- q.Enqueue(t.Context(), 3) }()
		go func() { _, err := q.EnqueueBatch(t.Context(), []int{3}); done <- err }()
		synctest.Wait()
		q.Close()
		require.Equal(t, lockfree.ErrClosed, <-done)
		require.Equal(t, lockfree.ErrClosed, <-done)
		require.Equal(t, 2, q.Len())
	})
}

// A waiter that is cancelled when its signal is on the way must not swallow it.
func TestCancelledWaiterPassesItsSignalOn(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			for range lockfree.Scale(100, 1000, 20_000) {
				ctx, cancel := context.WithCancel(context.Background())
				var wg sync.WaitGroup
				var got atomic.Int64
				wg.Go(func() {
					if _, err := q.Dequeue(ctx); err == nil {
						got.Add(1)
					}
				})
				wg.Go(func() {
					if _, err := q.Dequeue(ctx); err == nil {
						got.Add(1)
					}
				})
				patient := make(chan struct{})
				go func() {
					defer close(patient)
					if _, err := q.Dequeue(context.Background()); err == nil {
						got.Add(1)
					}
				}()
				go cancel()
				require.NoError(t, q.TryEnqueue(1))
				wg.Wait()
				if got.Load() == 1 && q.Len() == 0 {
					select {
					case <-patient: // it got the value
					default:
						require.NoError(t, q.TryEnqueue(2))
					}
				}
				lockfree.Finishes(t, patient, "the waiter that was not cancelled")
				for range q.Drain() {
				}
			}
		})
	}
}

// P1 publishes a value and stalls before its signal; P2's signal goes to a waiter
// that takes P1's value. Another waiter must get P2's, which has no signal left.
func TestStalledSignalDoesNotStrandOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := lockfree.New[int]()
		got := make(chan int, 2)
		for range 2 {
			go func() {
				v, _ := q.Dequeue(t.Context())
				got <- v
			}()
		}
		synctest.Wait()
		publish := q.Stall()
		require.True(t, publish(1)) // P1 stalls here
		require.NoError(t, q.Enqueue(2))
		synctest.Wait()
		require.Len(t, got, 2)
		require.Equal(t, 3, <-got+<-got)
	})
}

func TestThousandWaitersAndOneProducer(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			q := k.Make()
			const waiters = 1000
			values := lockfree.Scale(3000, 10_000, 100_000)
			var sum, count atomic.Int64
			var wg sync.WaitGroup
			for range waiters {
				wg.Go(func() {
					for v := range q.All(context.Background()) {
						sum.Add(int64(v))
						count.Add(1)
					}
				})
			}
			want := 0
			for i := range values {
				want += i
				if b, ok := q.(*lockfree.Bounded[int]); ok {
					require.NoError(t, b.Enqueue(t.Context(), i))
				} else {
					require.NoError(t, q.TryEnqueue(i))
				}
			}
			q.Close()
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			lockfree.Finishes(t, done, "the waiters")
			require.EqualValues(t, values, count.Load())
			require.EqualValues(t, want, sum.Load())
		})
	}
}

func TestThousandProducersWaitForRoom(t *testing.T) {
	q := lockfree.NewTinyBounded[int](3, 0)
	var wg sync.WaitGroup
	var accepted atomic.Int64
	for range 1000 {
		wg.Go(func() {
			for i := range 5 {
				if q.Enqueue(context.Background(), i) == nil {
					accepted.Add(1)
				}
			}
		})
	}
	for range 4000 {
		if n := q.Len(); n > q.Cap() {
			t.Fatalf("Len is %d", n)
		}
		_, err := q.Dequeue(t.Context())
		require.NoError(t, err)
	}
	q.Close()
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	lockfree.Finishes(t, done, "the producers")
	rest := 0
	for range q.Drain() {
		rest++
	}
	require.EqualValues(t, 4000+rest, accepted.Load())
}

// TestCloseRace closes beside everything: single and batch enqueues on tiny rings
// (so that Close meets seals and appends) and waiting dequeues. Each value is
// delivered, or its enqueue was refused.
func TestCloseRace(t *testing.T) {
	for _, k := range lockfree.Kinds[int](0) {
		t.Run(k.Name, func(t *testing.T) {
			for round := range lockfree.Scale(30, 60, 5000) {
				q := k.Make()
				var accepted, delivered atomic.Int64
				var wg sync.WaitGroup
				start := make(chan struct{})
				for g := range 3 {
					wg.Go(func() {
						<-start
						for i := 0; ; i++ {
							var n int
							var err error
							b, bounded := q.(*lockfree.Bounded[int])
							switch {
							case i%2 == 0 && bounded:
								n, err = b.EnqueueBatch(context.Background(), make([]int, g+2))
							case i%2 == 0:
								n, err = q.TryEnqueueBatch(make([]int, g+2))
							case bounded:
								err = b.Enqueue(context.Background(), 1)
								n = 1
							default:
								err = q.TryEnqueue(1)
								n = 1
							}
							if err == lockfree.ErrClosed && i%2 == 1 {
								n = 0
							}
							accepted.Add(int64(n))
							if err == lockfree.ErrClosed {
								return
							} else if err != nil {
								t.Error(err)
							}
						}
					})
					wg.Go(func() {
						<-start
						buf := make([]int, 3)
						for {
							n, err := q.DequeueBatch(context.Background(), buf[:g+1])
							delivered.Add(int64(n))
							if err == lockfree.ErrClosed {
								return
							}
						}
					})
				}
				wg.Go(func() {
					<-start
					for q.Stats().Enqueued < uint64(round%50) {
					}
					q.Close()
				})
				close(start)
				done := make(chan struct{})
				go func() { wg.Wait(); close(done) }()
				lockfree.Finishes(t, done, "Close, producers or consumers")
				for range q.Drain() {
					t.Fatal("ErrClosed from a wait before the queue was drained")
				}
				if accepted.Load() != delivered.Load() {
					t.Fatalf("round %d: %d accepted, %d delivered; %+v", round, accepted.Load(), delivered.Load(), q.Stats())
				}
				lockfree.NobodyLeft(t, q)
			}
		})
	}
}
