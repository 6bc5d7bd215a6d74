package batchchan

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The failures of hand-written and published batchers, each as it was seen. The
// ones about time are in time_test.go.

// Items still in the input are lost on Stop: 10 260 of 50 000.
func TestNothingIsLostOnClose(t *testing.T) {
	const n, goroutines = 50_000, 4
	var sum, count atomic.Int64
	b := must[int](t)(New(Config[int]{MaxBatch: 100, Linger: time.Second}, func(_ context.Context, items []int) error {
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
				cfg := Config[int]{MaxBatch: 8, Linger: time.Hour, Workers: 2}
				if mode == "Shards" {
					cfg.Shards = 4
				}
				if mode == "blocked" {
					cfg.MaxPending = 3
				}
				b := must[int](t)(New(cfg, func(_ context.Context, items []int) error {
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
							if err == ErrFull {
								continue
							}
							if err != nil {
								require.ErrorIs(t, err, ErrClosed)
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
				require.ErrorIs(t, b.Send(bg, 1), ErrClosed, "always, also the first after Close")
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
		b := must[int](t)(New(Config[int]{MaxBatch: 2}, got.process))
		require.NoError(t, b.Send(bg, 1))
		require.NoError(t, b.Close())
		require.ErrorIs(t, b.Send(bg, 2), ErrClosed)
		require.Equal(t, []int{1}, got.items())
	}
}

// The batch's slice is used again while the receiver holds it: [12 13 14 15]
// four times.
func TestBatchesInFlightDoNotShareMemory(t *testing.T) {
	q, err := NewQueue(Config[int]{MaxBatch: 4, Linger: -1})
	require.NoError(t, err)
	_, err = q.SendMany(bg, upTo(16))
	require.NoError(t, err)
	var batches []*Batch[int]
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
	q, err := NewQueue(Config[int]{Linger: -1})
	require.NoError(t, err)
	require.NoError(t, q.Send(bg, 1))
	require.NoError(t, q.Close())
	b, err := q.Recv(bg)
	require.NoError(t, err, "what was accepted is still received")
	require.Equal(t, ByClose, b.Reason())
	b.Release()
	for range 3 {
		b, err = q.Recv(bg)
		require.ErrorIs(t, err, ErrClosed)
		require.Nil(t, b)
	}
}

// The last batch's result races ctx.Done and is dropped.
func TestLastResultIsDeliveredThoughTheSendersContextIsDone(t *testing.T) {
	for range 100 {
		p, err := NewPipe(PipeConfig[int]{Config: Config[int]{Linger: -1}}, func(_ context.Context, in, out []int) ([]int, error) {
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
		require.ErrorIs(t, err, ErrClosed)
	}
}

// LastActivity is a data race: here reading the statistics beside everything else
// is not (run with -race), and every snapshot adds up.
func TestStatsAreConsistentAtAnyTime(t *testing.T) {
	b := must[int](t)(New(Config[int]{MaxBatch: 16, Workers: 2, MaxPending: 64}, func(context.Context, []int) error { return nil }))
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
	var last Stats
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
	b, h := full(t, Config[int]{})
	b.SendTimeout(9, time.Nanosecond)
	require.Less(t, testing.AllocsPerRun(50, func() { b.SendTimeout(9, time.Nanosecond) }), 0.5)
	close(h.gate)
	require.NoError(t, b.Close())
}

// otel-go#1178: spans that were sent before the flush are dropped by it, or come
// after it.
func TestFlushIsABarrier(t *testing.T) {
	var processed atomic.Int64
	b := must[int](t)(New(Config[int]{MaxBatch: 64, Linger: -1, Workers: 4, Shards: 4}, func(_ context.Context, items []int) error {
		processed.Add(int64(len(items)))
		return nil
	}))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := b.Producer()
			for range 200 {
				require.NoError(t, b.Send(bg, 1))
				require.NoError(t, p.Send(bg, 1))
				require.NoError(t, b.TrySend(1))
				before := b.Stats().Accepted
				require.NoError(t, b.Flush(bg))
				require.GreaterOrEqual(t, uint64(processed.Load()), before)
			}
		})
	}
	wg.Wait()
	require.NoError(t, b.Close())
	require.EqualValues(t, 4*200*3, processed.Load())
}

// google-api-go#475: the flush by time and one by hand wait for each other.
func TestTimerAndManualFlushTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := must[int](t)(New(Config[int]{MaxBatch: 10, MaxPending: 10, Linger: time.Millisecond}, func(_ context.Context, items []int) error {
			time.Sleep(3 * time.Millisecond)
			n += len(items)
			return nil
		}))
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				for i := range 100 {
					require.NoError(t, b.Send(bg, i))
					if i%7 == 0 {
						time.Sleep(time.Millisecond)
					}
					if i%10 == 0 {
						require.NoError(t, b.Flush(bg))
					}
				}
			})
		}
		wg.Wait()
		require.NoError(t, b.Close())
		require.Equal(t, 500, n)
	})
}

// google-cloud-go#1273: 122 000 goroutines stuck in Flush, each with a barrier of
// its own.
func TestManyFlushesShareABarrierAndAllEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		b := must[int](t)(New(Config[int]{MaxBatch: 1}, h.process))
		require.NoError(t, b.Send(bg, 1))
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for i := range 2000 {
			wg.Go(func() {
				if i%2 == 0 {
					require.ErrorIs(t, b.Flush(ctx), context.DeadlineExceeded)
				} else {
					require.NoError(t, b.Flush(bg))
				}
			})
		}
		synctest.Wait()
		b.c.mu.lock()
		require.Len(t, b.c.flushes, 1)
		b.c.mu.unlock()
		time.Sleep(2 * time.Second)
		close(h.gate)
		wg.Wait()
		b.c.mu.lock()
		require.Empty(t, b.c.flushes)
		b.c.mu.unlock()
		require.NoError(t, b.Close())
	})
}

// franz-go#726: a buffer that is full but not a full batch is never flushed.
func TestFullBufferIsFlushed(t *testing.T) {
	for name, cfg := range map[string]Config[int]{
		"items":  {MaxBatch: 100, MaxPending: 5, Linger: -1},
		"bytes":  {MaxBatch: 100, MaxPendingBytes: 5, SizeOf: func(int) int { return 1 }, Linger: -1},
		"bytes2": {MaxBatch: 100, MaxBytes: 50, MaxPendingBytes: 5, SizeOf: func(int) int { return 2 }, Linger: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			var got collector[int]
			b := must[int](t)(New(cfg, got.process))
			for i := range 50 {
				require.NoError(t, b.Send(bg, i))
			}
			require.NoError(t, b.Close())
			require.Equal(t, upTo(50), got.items())
			for _, n := range got.sizes() {
				require.LessOrEqual(t, n, 5)
			}
		})
	}
	// The same where nobody waits, and with the room set aside for lanes.
	var got collector[int]
	b := must[int](t)(New(Config[int]{
		MaxBatch: 100, MaxPendingBytes: 5, SizeOf: func(int) int { return 2 }, Linger: -1, Overflow: Reject,
	}, got.process))
	for b.Stats().Delivered == 0 {
		b.TrySend(1)
	}
	require.NoError(t, b.Close())

	lanes := must[int](t)(New(Config[int]{MaxBatch: 4, MaxPending: 8, Linger: -1, Overflow: Reject}, got.process))
	p, p2 := lanes.Producer(), lanes.Producer()
	require.NoError(t, p.Send(bg, 1))
	require.NoError(t, p2.Send(bg, 1))
	for range 6 {
		require.NoError(t, lanes.TrySend(1), "what the lanes set aside and do not use is there for others")
	}
	require.NoError(t, lanes.Close())
	require.EqualValues(t, 8, lanes.Stats().Succeeded)
}

// A prototype's: the timer steals a batch after Close has decided what is left.
func TestTimerAtClose(t *testing.T) {
	for range 300 {
		var got collector[int]
		b := must[int](t)(New(Config[int]{MaxBatch: 100, Linger: time.Microsecond, Workers: 2}, got.process))
		for i := range 5 {
			require.NoError(t, b.Send(bg, i))
		}
		require.NoError(t, b.Close())
		require.Len(t, got.items(), 5)
	}
}

// A processor may wait for what a blocked sender does next: room that was made is
// given at once, not at half full.
func TestRoomIsGivenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sixth := make(chan struct{})
		first := true
		b := must[int](t)(New(Config[int]{MaxBatch: 1, MaxPending: 4, Linger: -1}, func(context.Context, []int) error {
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

func TestProducerKeepsOrderAndHidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got collector[int]
		b := must[int](t)(New(Config[int]{MaxBatch: 100, Linger: time.Second}, got.process))
		p := b.Producer()
		for i := range 150 {
			require.NoError(t, p.Send(bg, i))
		}
		s := b.Stats()
		require.EqualValues(t, 150, s.Accepted)
		checkQuiet(t, s)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, upTo(150), got.items(), "the lane ages, too")
		require.NoError(t, p.Send(bg, 150))
		require.NoError(t, b.Flush(bg))
		require.Equal(t, upTo(151), got.items())
		require.NoError(t, p.Send(bg, 151))
		p.Flush()
		p.Close()
		require.ErrorIs(t, p.Send(bg, 0), ErrClosed)
		require.NoError(t, b.Close())
		require.Equal(t, upTo(152), got.items())
	})
}

func TestProducerHasNaturalBatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		b := must[int](t)(New(Config[int]{MaxBatch: 100}, h.process))
		p := b.Producer()
		require.NoError(t, p.Send(bg, 0))
		synctest.Wait()
		for i := 1; i < 50; i++ {
			require.NoError(t, p.Send(bg, i))
		}
		close(h.gate)
		synctest.Wait()
		require.Equal(t, upTo(50), h.items())
		require.Equal(t, []int{1, 49}, h.sizes())
		require.NoError(t, b.Close())
	})
}

// Close finds what is in a lane alone, though no worker was ever started.
func TestCloseEmptiesLanes(t *testing.T) {
	var got collector[int]
	b := must[int](t)(New(Config[int]{MaxBatch: 100, Linger: -1}, got.process))
	require.NoError(t, b.Producer().Send(bg, 1))
	require.NoError(t, b.Close())
	require.Equal(t, []int{1}, got.items())
}

// A large item that gives up waiting lets a smaller one behind it in at once.
func TestCancelledSenderLetsTheNextIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		b := must[int](t)(New(Config[int]{MaxPendingBytes: 10, SizeOf: func(n int) int { return n }}, h.process))
		require.NoError(t, b.Send(bg, 1))
		synctest.Wait()
		require.NoError(t, b.Send(bg, 5))
		go func() { require.ErrorIs(t, b.SendTimeout(9, time.Second), ErrTimeout) }()
		synctest.Wait()
		start := time.Now()
		require.NoError(t, b.Send(bg, 3), "first come, first served: after the large one")
		require.Equal(t, time.Second, time.Since(start))
		close(h.gate)
		require.NoError(t, b.Close())
		require.Equal(t, []int{1, 5, 3}, h.items())
	})
}

// A receiver that is cancelled just as it is woken passes the wake-up on.
func TestQueueWakeUpOfACancelledReceiverIsNotLost(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			q, err := NewQueue(Config[int]{MaxBatch: 1})
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
			q.c.mu.lock() // both in one moment, as seen by the receiver
			go cancel()
			go q.Send(bg, 1)
			for range 3 {
				runtime.Gosched()
			}
			q.c.mu.unlock()
			synctest.Wait()
			require.Zero(t, q.Stats().Pending)
			q.Close()
		})
	}
}
