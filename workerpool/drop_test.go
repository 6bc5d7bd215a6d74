package workerpool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// The future, the Do and the group task that DropOldest drops all end.
func TestDropOldestResolvesItsFuture(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: 3, Overflow: workerpool.DropOldest})
	release := occupy(t, p, 1)
	never := func(context.Context) error { t.Error("ran"); return nil }
	fut := workerpool.Go(bg, p, func(ctx context.Context) (int, error) { return 0, never(ctx) })
	g := p.Group(bg)
	g.Go(never)
	do := make(chan error)
	go func() { do <- p.Do(bg, workerpool.Task{Run: never}) }()
	until(t, "3 queued", func() bool { return p.Stats().Queued == 3 })
	for range 3 {
		require.NoError(t, p.Submit(func() {}))
	}
	_, err := fut.Wait(bg)
	require.ErrorIs(t, err, workerpool.ErrDropped)
	require.ErrorIs(t, g.Wait(), workerpool.ErrDropped)
	require.ErrorIs(t, <-do, workerpool.ErrDropped)
	release()
	st := closeAndCheck(t, p)
	require.EqualValues(t, 3, st.Dropped)
	require.EqualValues(t, 4, st.Completed)
}

// Submit, discard, run, pause and Close at once: what was accepted either ran or
// is counted as dropped.
func TestDropVersusEverything(t *testing.T) {
	for _, size := range []int{1, 2, 7} {
		for _, workers := range []int{1, 2, 8} {
			t.Run("queue="+queueName(size), func(t *testing.T) {
				watch(t)
				for range scaled(60) {
					p := newPool(t, workerpool.Config{MaxWorkers: workers, QueueSize: size, Overflow: workerpool.DropOldest})
					var accepted, ran atomic.Uint64
					var producers, readers sync.WaitGroup
					for range 4 {
						producers.Go(func() {
							for range 200 {
								err := p.Submit(func() { ran.Add(1) })
								if err != nil {
									if !errors.Is(err, workerpool.ErrClosed) {
										t.Error(err)
									}
									return
								}
								accepted.Add(1)
							}
						})
					}
					readers.Go(func() {
						var last uint64
						for range 20 {
							st := p.Stats()
							if st.Dropped < last {
								t.Errorf("Dropped went from %d to %d", last, st.Dropped)
							}
							last = st.Dropped
						}
						if workers == 2 {
							_ = p.Close()
						}
					})
					producers.Wait()
					readers.Wait()
					st := closeAndCheck(t, p)
					require.Equal(t, accepted.Load(), ran.Load()+st.Dropped)
					require.Equal(t, ran.Load(), st.Completed)
				}
			})
		}
	}
}
