package batchchan_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// The failures of hand-written and published batchers, each as it was seen. The
// ones about time are in time_test.go, those about Flush in flush_test.go.

// Items still in the input are lost on Stop: 10 260 of 50 000.
func TestNothingIsLostOnClose(t *testing.T) {
	const n, goroutines = 50_000, 4
	var sum, count atomic.Int64
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 100, Linger: time.Second}, func(_ context.Context, items []int) error {
		for _, v := range items {
			sum.Add(int64(v))
		}
		count.Add(int64(len(items)))
		return nil
	}))
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := g; i < n; i += goroutines {
				if err := b.Send(bg, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, b.Close())
	require.EqualValues(t, n, count.Load())
	require.EqualValues(t, n*(n-1)/2, sum.Load())
}

// A send after Stop, or at the same time, panics on the closed channel: 516 of
// 1000 and 900 of 1200. Here each either was accepted and is processed, or
// returned ErrClosed.
func TestSendersAtCloseGetAnAnswerThatIsTrue(t *testing.T) {
	for _, mode := range []string{"Send", "Shards", "Producer", "SendMany", "TrySend", "blocked"} {
		t.Run(mode, func(t *testing.T) {
			for range 30 {
				var processed, accepted atomic.Int64
				cfg := batchchan.Config[int]{MaxBatch: 8, Linger: time.Hour, Workers: 2}
				if mode == "Shards" {
					cfg.Shards = 4
				}
				if mode == "blocked" {
					cfg.MaxPending = 3
				}
				b := must[int](t)(batchchan.New(cfg, func(_ context.Context, items []int) error {
					processed.Add(int64(len(items)))
					return nil
				}))
				var wg sync.WaitGroup
				begun := make(chan struct{}, 8)
				for range 8 {
					wg.Go(func() {
						p := b.Producer()
						begun <- struct{}{}
						for {
							n, err := 1, error(nil)
							switch mode {
							case "Producer":
								err = p.Send(bg, 1)
							case "SendMany":
								n, err = b.SendMany(bg, []int{1, 2, 3, 4, 5})
							case "TrySend":
								err = b.TrySend(1)
							default:
								err = b.Send(bg, 1)
							}
							if err == nil || mode == "SendMany" {
								accepted.Add(int64(n))
							}
							if err == batchchan.ErrFull {
								continue
							}
							if err != nil {
								require.ErrorIs(t, err, batchchan.ErrClosed)
								return
							}
						}
					})
				}
				for range 8 {
					<-begun
				}
				require.NoError(t, b.Close())
				wg.Wait()
				require.Equal(t, accepted.Load(), processed.Load())
				require.ErrorIs(t, b.Send(bg, 1), batchchan.ErrClosed, "always, also the first after Close")
				require.NoError(t, b.Close())
				s := b.Stats()
				checkQuiet(t, s)
				require.EqualValues(t, accepted.Load(), s.Accepted)
			}
		})
	}
}

// A prototype's: the first Send after Close returned nil because the buffer had
// just been taken.
func TestFirstSendAfterCloseIsRefused(t *testing.T) {
	for range 200 {
		var got collector[int]
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 2}, got.process))
		require.NoError(t, b.Send(bg, 1))
		require.NoError(t, b.Close())
		require.ErrorIs(t, b.Send(bg, 2), batchchan.ErrClosed)
		require.Equal(t, []int{1}, got.items())
	}
}

// The batch's slice is used again while the receiver holds it: [12 13 14 15]
// four times.
func TestBatchesInFlightDoNotShareMemory(t *testing.T) {
	q, err := batchchan.NewQueue(batchchan.Config[int]{MaxBatch: 4, Linger: -1})
	require.NoError(t, err)
	_, err = q.SendMany(bg, upTo(16))
	require.NoError(t, err)
	var batches []*batchchan.Batch[int]
	for range 4 {
		b, err := q.Recv(bg)
		require.NoError(t, err)
		batches = append(batches, b)
	}
	for i, b := range batches {
		require.Equal(t, []int{4 * i, 4*i + 1, 4*i + 2, 4*i + 3}, b.Items)
	}
	for _, b := range batches {
		b.Release()
		require.Nil(t, b.Items)
		require.PanicsWithValue(t, "batchchan: Batch released twice", b.Release)
	}
	require.NoError(t, q.Close())
	<-q.Done()
}

// Recv after Stop returns nil, nil for ever, so that a consumer loop spins.
func TestRecvAfterCloseReturnsErrClosedForEver(t *testing.T) {
	q, err := batchchan.NewQueue(batchchan.Config[int]{Linger: -1})
	require.NoError(t, err)
	require.NoError(t, q.Send(bg, 1))
	require.NoError(t, q.Close())
	b, err := q.Recv(bg)
	require.NoError(t, err, "what was accepted is still received")
	require.Equal(t, batchchan.ByClose, b.Reason())
	b.Release()
	for range 3 {
		b, err = q.Recv(bg)
		require.ErrorIs(t, err, batchchan.ErrClosed)
		require.Nil(t, b)
	}
}

// The last batch's result races ctx.Done and is dropped.
func TestLastResultIsDeliveredThoughTheSendersContextIsDone(t *testing.T) {
	for range 100 {
		p, err := batchchan.NewPipe(batchchan.PipeConfig[int]{Config: batchchan.Config[int]{Linger: -1}}, func(_ context.Context, in, out []int) ([]int, error) {
			return append(out, in...), nil
		})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(bg)
		require.NoError(t, p.Send(ctx, 1))
		cancel()
		require.NoError(t, p.Close())
		r, err := p.Recv(bg)
		require.NoError(t, err)
		require.Equal(t, 1, r)
		_, err = p.Recv(bg)
		require.ErrorIs(t, err, batchchan.ErrClosed)
	}
}

// LastActivity is a data race: here reading the statistics beside everything else
// is not (run with -race), and every snapshot adds up.
func TestStatsAreConsistentAtAnyTime(t *testing.T) {
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 16, Workers: 2, MaxPending: 64}, func(context.Context, []int) error { return nil }))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			p := b.Producer()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if i%2 == 0 {
					b.Send(bg, i)
				} else {
					p.Send(bg, i)
				}
			}
		})
	}
	var last batchchan.Stats
	for range 500 {
		s := b.Stats()
		checkQuiet(t, s) // the sums hold at any time, not only when quiet
		require.LessOrEqual(t, s.Pending, 64)
		require.GreaterOrEqual(t, s.Accepted, last.Accepted)
		require.GreaterOrEqual(t, s.Succeeded, last.Succeeded)
		last = s
	}
	close(stop)
	wg.Wait()
	require.NoError(t, b.Close())
	require.LessOrEqual(t, b.Stats().HighWater, 64)
}

// time.After per call costs 3 allocations; see also TestAllocations.
func TestTimeoutsReuseTheirTimer(t *testing.T) {
	if raceEnabled {
		t.Skip("sync.Pool drops items at random under the race detector")
	}
	b, h := full(t, batchchan.Config[int]{})
	b.SendTimeout(9, time.Nanosecond)
	require.Less(t, testing.AllocsPerRun(50, func() { b.SendTimeout(9, time.Nanosecond) }), 0.5)
	close(h.gate)
	require.NoError(t, b.Close())
}

// A processor may wait for what a blocked sender does next: room that was made is
// given at once, not at half full.
func TestRoomIsGivenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sixth := make(chan struct{})
		first := true
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, MaxPending: 4, Linger: -1}, func(context.Context, []int) error {
			if first {
				first = false
				<-sixth
			}
			return nil
		}))
		for i := range 5 {
			require.NoError(t, b.Send(bg, i))
		}
		close(sixth)
		require.NoError(t, b.Close())
	})
}

// A large item that gives up waiting lets a smaller one behind it in at once.
func TestCancelledSenderLetsTheNextIn(t *testing.T) {
	cfg := batchchan.Config[int]{MaxPendingBytes: 10, SizeOf: func(n int) int { return n }}
	for name, open := range map[string]func(h *held) (send func(context.Context, int) error, sendTimeout func(int, time.Duration) error, end func() error){
		"Batcher": func(h *held) (func(context.Context, int) error, func(int, time.Duration) error, func() error) {
			b := must[int](t)(batchchan.New(cfg, h.process))
			return b.Send, b.SendTimeout, b.Close
		},
		"Keyed": func(h *held) (func(context.Context, int) error, func(int, time.Duration) error, func() error) {
			k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(v int) int { return v }, func(ctx context.Context, _ int, items []int) error { return h.process(ctx, items) }))
			return k.Send, k.SendTimeout, k.Close
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHeld()
				send, sendTimeout, end := open(h)
				require.NoError(t, send(bg, 1))
				synctest.Wait()
				require.NoError(t, send(bg, 5))
				go func() { require.ErrorIs(t, sendTimeout(9, time.Second), batchchan.ErrTimeout) }()
				synctest.Wait()
				start := time.Now()
				ctx, cancel := context.WithTimeout(bg, time.Minute)
				defer cancel()
				require.NoError(t, send(ctx, 3), "first come, first served: after the large one")
				require.Equal(t, time.Second, time.Since(start))
				close(h.gate)
				require.NoError(t, end())
				require.Equal(t, []int{1, 5, 3}, h.items())
			})
		})
	}
}

// A receiver that is cancelled just as it is woken passes the wake-up on.
func TestQueueWakeUpOfACancelledReceiverIsNotLost(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			q, err := batchchan.NewQueue(batchchan.Config[int]{MaxBatch: 1})
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(bg)
			for _, c := range []context.Context{bg, ctx} { // the last to park is woken first
				go func() {
					if b, err := q.Recv(c); err == nil {
						b.Release()
					}
				}()
				synctest.Wait()
			}
			q.Frozen(func() { // both in one moment, as seen by the receiver
				go cancel()
				go q.Send(bg, 1)
				for range 3 {
					runtime.Gosched()
				}
			})
			synctest.Wait()
			require.Zero(t, q.Stats().Pending)
			q.Close()
		})
	}
}

// So does one of a Pipe.
func TestPipeWakeUpOfACancelledReceiverIsNotLost(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: batchchan.Config[int]{MaxBatch: 1}}, func(_ context.Context, in, out []int) ([]int, error) { return append(out, in...), nil }))
			ctx, cancel := context.WithCancel(bg)
			got := 0
			var wg sync.WaitGroup
			for _, c := range []context.Context{bg, ctx} { // the last to wait is woken first
				wg.Go(func() {
					if _, err := p.Recv(c); err == nil {
						got++
					}
				})
				synctest.Wait()
			}
			require.NoError(t, p.Send(bg, 1))
			p.FrozenResults(func() { // both in one moment, as seen by the receiver
				cancel()
				for range 5 {
					runtime.Gosched()
				}
			})
			synctest.Wait()
			require.Equal(t, 1, got)
			require.NoError(t, p.Close())
			wg.Wait()
		})
	}
}
