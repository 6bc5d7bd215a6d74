package workerpool_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// An expired Shutdown drops what waits in a view's own queue at once, although
// the view's running task does not end.
func TestExpiredShutdownDiscardsWhatWaitsInViews(t *testing.T) {
	for _, size := range []int{1, 2, 7, 0, workerpool.Unbounded} {
		t.Run("queue="+queueName(size), func(t *testing.T) {
			watch(t)
			p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
			busy, queued := p.Limit(1), p.Limit(1)
			gate, open := newGate(t)
			in := make(chan struct{})
			require.NoError(t, busy.Submit(func() { close(in); <-gate })) // has no ctx to be cancelled
			<-in
			require.NoError(t, queued.Submit(func() { t.Error("ran") })) // in the pool's queue
			never := func(context.Context) (int, error) { t.Error("ran"); return 0, nil }
			var futures []*workerpool.Future[int]
			for _, v := range []*workerpool.View{busy, queued} {
				futures = append(futures, workerpool.Go(bg, p, never, workerpool.WithView(v)))
				if size != 1 {
					require.NoError(t, v.Submit(func() { t.Error("ran") }))
				}
			}
			ctx, cancel := context.WithCancel(bg)
			cancel()
			var se *workerpool.ShutdownError
			require.ErrorAs(t, p.Shutdown(ctx), &se)
			waited := busy.Stats().Dropped + queued.Stats().Dropped
			require.EqualValues(t, map[bool]int{true: 2, false: 4}[size == 1], waited)
			require.EqualValues(t, 1+waited, len(se.Dropped), "and the one in the pool's queue")
			require.Equal(t, 1, se.Running)
			for _, fut := range futures {
				_, err := fut.Wait(bg)
				require.ErrorIs(t, err, workerpool.ErrClosed)
			}
			require.ErrorIs(t, busy.Submit(func() {}), workerpool.ErrClosed)
			require.Equal(t, 1, busy.Stats().Running)
			require.Zero(t, queued.Stats().Running)
			open()
			require.NoError(t, p.Close())
			require.Zero(t, busy.Stats().Running)
			checkBooks(t, p.Stats())
		})
	}
}

// Submitters that wait for room in a view are refused as soon as the pool is
// closed, and what the view had accepted runs.
func TestViewSubmittersAreRefusedByClose(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		if size == workerpool.Unbounded {
			t.Skip("nobody waits")
		}
		p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: size})
		v := p.Limit(1)
		gate, open := newGate(t)
		in := make(chan struct{})
		require.NoError(t, v.Submit(func() { close(in); <-gate }))
		<-in
		var ran atomic.Int64
		room := p.Stats().QueueCap
		for range room {
			require.NoError(t, v.Submit(func() { ran.Add(1) }))
		}
		results := make(chan error, 5)
		for range 5 {
			go func() { results <- v.Submit(func() { t.Error("a refused task ran") }) }()
		}
		until(t, "5 blocked", func() bool { return v.Stats().Waiters == 5 })
		closed := make(chan error)
		go func() { closed <- p.Close() }()
		for range 5 {
			require.ErrorIs(t, <-results, workerpool.ErrClosed)
		}
		require.ErrorIs(t, v.Submit(func() {}), workerpool.ErrClosed)
		open()
		require.NoError(t, <-closed)
		require.EqualValues(t, max(room, 0), ran.Load())
	})
}

// Whatever the moment at which a Shutdown gives up: what a view accepted ran or is
// counted as dropped, by the view or by the pool, and by the ShutdownError.
func TestViewVersusExpiringShutdown(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		for i := range scaled(24) {
			p := newPool(t, cfg)
			views := []*workerpool.View{p.Limit(1), p.Limit(2)}
			var accepted, ran, late atomic.Int64
			var over atomic.Bool
			var producers sync.WaitGroup
			for k := range 4 {
				producers.Go(func() {
					for range 500 {
						err := views[k%2].Submit(func() {
							ran.Add(1)
							if over.Load() {
								late.Add(1)
							}
							runtime.Gosched()
						})
						if err != nil {
							if err != workerpool.ErrClosed {
								t.Error(err)
							}
							return
						}
						accepted.Add(1)
					}
				})
			}
			until(t, "some", func() bool { return accepted.Load() > int64(i%5) })
			ctx, cancel := context.WithCancel(bg)
			cancel()
			err := p.Shutdown(ctx)
			over.Store(true)
			producers.Wait()
			require.NoError(t, p.Close())
			st := p.Stats()
			checkBooks(t, st)
			dropped := st.Dropped
			for _, v := range views {
				vs := v.Stats()
				require.Zero(t, vs.Running+vs.Queued+vs.Waiters, "%+v", vs)
				dropped += vs.Dropped
			}
			require.EqualValues(t, accepted.Load(), uint64(ran.Load())+dropped, "%+v", st)
			if se, ok := err.(*workerpool.ShutdownError); ok {
				require.EqualValues(t, dropped, len(se.Dropped))
				require.LessOrEqual(t, late.Load(), int64(cfg.MaxWorkers), "no more than were running")
			} else {
				require.Zero(t, dropped)
			}
		}
	})
}
