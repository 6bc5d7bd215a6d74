package batchchan

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestKeyedStopOnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("bad")
		type call struct {
			items []int
			err   error
		}
		var calls []call
		var k *Keyed[int, int]
		var inside error
		gate := make(chan struct{})
		k, err := NewKeyed(KeyedConfig[int]{StopOnError: true, Config: Config[int]{
			MaxBatch: 2, Workers: 2, MaxPending: 7, OnError: func(ctx context.Context, err error, items []int) {
				calls = append(calls, call{slices.Clone(items), err})
				if errors.Is(err, ErrStopped) {
					inside = k.Send(ctx, 19)
				}
			},
		}}, func(v int) int { return v / 10 }, func(_ context.Context, _ int, items []int) error {
			<-gate
			var e ItemErrors
			if i := slices.Index(items, 12); i >= 0 {
				e.Fail(i, bad)
			}
			return e.Err()
		})
		require.NoError(t, err)
		n, err := k.SendMany(bg, []int{10, 20, 11, 12, 13, 14, 21, 22})
		require.NoError(t, err)
		require.Equal(t, 8, n)
		synctest.Wait()
		require.NoError(t, k.Send(bg, 23))
		waits := make(chan error, 1)
		go func() { waits <- k.Send(bg, 15) }()
		synctest.Wait()
		flushed := make(chan error, 1)
		go func() { flushed <- k.Flush(bg) }()
		synctest.Wait()
		close(gate)
		err = <-flushed
		requireFailed(t, 3, err)
		require.ErrorIs(t, err, bad)
		require.Len(t, calls, 2)
		var ke *KeyError[int]
		require.Equal(t, []int{12}, calls[0].items)
		require.ErrorAs(t, calls[0].err, &ke)
		require.Equal(t, 1, ke.Key)
		require.NotErrorIs(t, calls[0].err, ErrStopped)
		require.ErrorIs(t, calls[1].err, ErrStopped)
		require.ErrorIs(t, calls[1].err, bad)
		require.ErrorAs(t, calls[1].err, &ke)
		require.ErrorIs(t, inside, ErrStopped)
		if err := <-waits; err == nil { // it found room before its key was stopped
			require.Equal(t, []int{13, 14, 15}[1:], calls[1].items[len(calls[1].items)-2:])
		} else {
			require.ErrorIs(t, err, ErrStopped)
		}
		s := k.Stats()
		require.Equal(t, 1, s.StoppedKeys)
		require.EqualValues(t, 1, s.Failed)
		require.EqualValues(t, len(calls[1].items), s.Undelivered)
		checkQuiet(t, s.Stats)
		k.k.validate(t, 0)
		require.ErrorIs(t, k.Send(bg, 16), ErrStopped)
		require.NoError(t, k.Send(bg, 24), "other keys go on")
		require.False(t, k.Resume(2))
		require.True(t, k.Resume(1))
		require.False(t, k.Resume(1))
		require.NoError(t, k.Send(bg, 17))
		require.NoError(t, k.Flush(bg))
		require.NoError(t, k.Close())
		k.k.validate(t, 0)
	})
	_, err := NewKeyed(KeyedConfig[int]{StopOnError: true}, func(v int) int { return v }, func(context.Context, int, []int) error { return nil })
	require.ErrorContains(t, err, "OnError")
}

// However the processor ends a batch that it fails, the key stops.
func TestKeyedStopOnErrorHoweverTheProcessorEnds(t *testing.T) {
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			var stopped []int
			k := Must(NewKeyed(KeyedConfig[int]{StopOnError: true, Config: Config[int]{
				MaxBatch: 1, OnError: func(_ context.Context, err error, items []int) {
					if errors.Is(err, ErrStopped) {
						stopped = append(stopped, items...)
					}
				},
			}}, func(int) int { return 0 }, func(context.Context, int, []int) error { return end.end() }))
			_, err := k.SendMany(bg, []int{1, 2, 3})
			if err != nil {
				require.ErrorIs(t, err, ErrStopped) // the first had failed already
			}
			err = k.Flush(bg)
			if end.ok {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
				require.ErrorIs(t, k.Send(bg, 4), ErrStopped)
			}
			require.NoError(t, k.Close())
			s := k.Stats()
			require.EqualValues(t, len(stopped), s.Undelivered)
			checkQuiet(t, s.Stats)
			k.k.validate(t, 0)
		})
	}
}
