package batchchan_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestCallerRuns(t *testing.T) {
	h := newHeld()
	calls := 0
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 2, MaxPending: 4, Overflow: batchchan.CallerRuns}, func(ctx context.Context, items []int) error {
		if items[0] == 0 {
			return h.process(ctx, items)
		}
		calls++
		return h.collector.process(ctx, items)
	}))
	require.NoError(t, b.Send(bg, 0))
	<-h.started
	for i := 1; i <= 4; i++ {
		require.NoError(t, b.Send(bg, i))
	}
	require.ErrorIs(t, b.TrySend(5), batchchan.ErrFull)
	require.NoError(t, b.Send(bg, 5))
	require.Equal(t, []int{1, 2}, h.items(), "the sender processed the oldest batch")
	require.NoError(t, b.Send(bg, 6))
	require.NoError(t, b.Send(bg, 7))
	require.Equal(t, []int{1, 2, 3, 4}, h.items())
	close(h.gate)
	require.NoError(t, b.Close())
	require.ElementsMatch(t, upTo(8), h.items())
	checkQuiet(t, b.Stats())
}

func TestCallerRunsSurvivesGoexitAndPanic(t *testing.T) {
	h := newHeld()
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: batchchan.CallerRuns}, func(ctx context.Context, items []int) error {
		switch items[0] {
		case 0:
			return h.process(ctx, items)
		case 1:
			runtime.Goexit()
		case 2:
			panic("no")
		}
		return nil
	}))
	require.NoError(t, b.Send(bg, 0))
	<-h.started
	require.NoError(t, b.Send(bg, 1))
	var wg sync.WaitGroup
	wg.Go(func() { b.Send(bg, 9); t.Error("Goexit ends the sender") })
	wg.Wait()
	require.NoError(t, b.Send(bg, 2))
	require.NoError(t, b.Send(bg, 3))
	close(h.gate)
	requireFailed(t, 2, b.Close())
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 2, s.Failed)
	require.EqualValues(t, 2, s.Succeeded)
	require.EqualValues(t, 1, s.Panics)
}

// A function that sends with its own ctx, and finds no room, does not become its own
// worker.
func TestCallerRunsDoesNotRecurse(t *testing.T) {
	var b *batchchan.Batcher[int]
	depth, full := 0, 0
	b = must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, MaxPending: 2, Overflow: batchchan.CallerRuns}, func(ctx context.Context, items []int) error {
		depth++
		require.Equal(t, 1, depth)
		defer func() { depth-- }()
		for range 3 {
			if items[0] < 50 && errors.Is(b.Send(ctx, items[0]+1), batchchan.ErrFull) {
				full++
			}
		}
		return nil
	}))
	require.NoError(t, b.Send(bg, 1))
	for b.Stats().Pending+b.Stats().InFlight > 0 {
		require.NoError(t, b.Flush(bg))
	}
	require.NoError(t, b.Close())
	require.Positive(t, full)
	b.Validate(t, 0)
}

func TestCallerRunsLooksAtItsTimeBetweenBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: batchchan.CallerRuns}, func(context.Context, []int) error {
			time.Sleep(time.Hour)
			return nil
		}))
		require.NoError(t, b.Send(bg, 1))
		synctest.Wait()
		require.NoError(t, b.Send(bg, 2))
		start := time.Now()
		require.ErrorIs(t, b.SendTimeout(3, time.Second), batchchan.ErrTimeout)
		require.Equal(t, time.Hour, time.Since(start))
		require.NoError(t, b.Close())
		require.EqualValues(t, 2, b.Stats().Succeeded)
		b.Validate(t, 0)
	})
}

// However many batches a sender processes, its time is counted from its call.
func TestCallerRunsHasOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *batchchan.Batcher[int]
		b = must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: batchchan.CallerRuns}, func(_ context.Context, items []int) error {
			if items[0] == 0 {
				time.Sleep(time.Hour)
				return nil
			}
			time.Sleep(600 * time.Millisecond)
			if items[0] < 10 {
				_ = b.TrySend(items[0] + 1) // in the sender's goroutine: the room is gone again
			}
			return nil
		}))
		require.NoError(t, b.Send(bg, 0))
		synctest.Wait()
		require.NoError(t, b.Send(bg, 1))
		start := time.Now()
		require.ErrorIs(t, b.SendTimeout(99, time.Second), batchchan.ErrTimeout)
		require.Equal(t, 1200*time.Millisecond, time.Since(start))
		require.NoError(t, b.Close())
		b.Validate(t, 0)
	})
}

// A Pipe's results have no room while nobody receives: a send leaves when its ctx or
// its time ends, and what it has set going is not lost.
func TestPipeCallerRunsKeepsToItsContext(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p, err := batchchan.NewPipe(batchchan.PipeConfig[int]{
				Config: batchchan.Config[int]{MaxBatch: 1, MaxPending: 2, Overflow: batchchan.CallerRuns}, MaxResults: 1, Ordered: ordered,
			}, func(_ context.Context, in, out []int) ([]int, error) { return append(out, in...), nil })
			require.NoError(t, err)
			var accepted []int
			start := time.Now()
			for i := range 20 {
				ctx, cancel := context.WithTimeout(bg, time.Second)
				err := p.Send(ctx, i)
				if i%2 == 1 {
					err = p.SendTimeout(i, time.Second)
				}
				cancel()
				if err == nil {
					accepted = append(accepted, i)
				} else {
					require.ErrorIs(t, err, context.DeadlineExceeded)
				}
				synctest.Wait()
			}
			require.LessOrEqual(t, time.Since(start), 40*time.Second)
			require.Less(t, len(accepted), 12)
			var got []int
			done := make(chan struct{})
			go func() {
				defer close(done)
				for v, err := range p.All(bg) {
					require.NoError(t, err)
					got = append(got, v)
				}
			}()
			require.NoError(t, p.Send(bg, 100))
			require.NoError(t, p.Close())
			<-done
			require.EqualValues(t, len(got), p.Stats().Accepted)
			for _, v := range accepted {
				require.Contains(t, got, v)
			}
			require.Contains(t, got, 100)
			p.Validate(t, 0)
			require.Zero(t, p.HelpersAtWork())
		})
	}
}

// slowCtx is a ctx of a user's own. Who waits for its end takes a minute to begin, and so
// finds that all has ended that will.
type slowCtx struct{ context.Context }

func (c slowCtx) Done() <-chan struct{} {
	time.Sleep(time.Minute) // real time: none, it is used in bubbles only
	return c.Context.Done()
}

// A sender looks at its ctx and its time between two batches, also when a batch has ended
// by then that another goroutine processed for it.
func TestCallerRunsWithASenderAndABatchThatEndAtOnce(t *testing.T) {
	type sender interface {
		SendMany(ctx context.Context, items []int) (int, error)
		SendTimeout(item int, d time.Duration) error
		Stats() batchchan.Stats
		Close() error
	}
	cfg := batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: batchchan.CallerRuns}
	for name, make := range map[string]func(t *testing.T, fn func(int)) sender{
		"Batcher": func(t *testing.T, fn func(int)) sender {
			return must[int](t)(batchchan.New(cfg, func(_ context.Context, items []int) error { fn(items[0]); return nil }))
		},
		"Pipe": func(t *testing.T, fn func(int)) sender {
			return batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: cfg}, func(_ context.Context, in, out []int) ([]int, error) { fn(in[0]); return out, nil }))
		},
	} {
		for end, f := range map[string]func(s sender, ctx context.Context) (int, error){
			"ctx":         func(s sender, ctx context.Context) (int, error) { return s.SendMany(slowCtx{ctx}, []int{2, 3}) },
			"SendTimeout": func(s sender, _ context.Context) (int, error) { return 0, s.SendTimeout(2, time.Second) },
		} {
			t.Run(name+"/"+end, func(t *testing.T) {
				for range 20 { // what a select chooses is chance
					synctest.Test(t, func(t *testing.T) {
						ctx, cancel := context.WithCancelCause(bg)
						defer cancel(nil)
						s := make(t, func(item int) {
							switch item {
							case 0:
								time.Sleep(time.Hour) // real time: none, in a bubble
							case 1:
								time.Sleep(time.Second)
								cancel(batchchan.ErrTimeout)
							}
						})
						defer func() { require.NoError(t, s.Close()) }()
						_, err := s.SendMany(bg, []int{0})
						require.NoError(t, err)
						synctest.Wait()
						_, err = s.SendMany(bg, []int{1})
						require.NoError(t, err)
						was := s.Stats()
						n, err := f(s, ctx)
						require.ErrorIs(t, err, batchchan.ErrTimeout)
						require.Zero(t, n)
						now := s.Stats()
						require.Equal(t, was.Accepted, now.Accepted)
						require.Greater(t, now.Rejected, was.Rejected)
					})
				}
			})
		}
	}
}
