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

func TestKeyedBatchesByKeyOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := map[int][][]int{}
		var mu sync.Mutex
		running, most := 0, 0
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 3, Linger: -1, Workers: 4}},
			func(i int) int { return i % 5 },
			func(_ context.Context, key int, items []int) error {
				mu.Lock()
				running++
				most = max(most, running)
				got[key] = append(got[key], append([]int(nil), items...))
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				running--
				mu.Unlock()
				return nil
			})
		require.NoError(t, err)
		start := time.Now()
		for i := range 40 { // eight per key
			require.NoError(t, k.Send(bg, i))
		}
		require.Equal(t, 5, k.Stats().Keys)
		require.NoError(t, k.Close())
		for key := range 5 {
			require.Equal(t, [][]int{{key, key + 5, key + 10}, {key + 15, key + 20, key + 25}, {key + 30, key + 35}}, got[key])
		}
		require.Equal(t, 4, most)
		// 15 batches, 4 at a time: 4 s, or 5 s where the batches that end at the same
		// moment leave two of one key for last.
		require.Contains(t, []time.Duration{4 * time.Second, 5 * time.Second}, time.Since(start))
		s := k.Stats()
		checkQuiet(t, s.Stats)
		require.Zero(t, s.Keys+s.IdleKeys)
		require.ErrorIs(t, k.Send(bg, 1), batchchan.ErrClosed)
		require.ErrorIs(t, k.TrySend(1), batchchan.ErrClosed)
	})
}

func TestKeyedLingerIsPerKeyAndExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := time.Now()
		at := map[int][]time.Duration{}
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 2, Linger: 10 * time.Millisecond}},
			func(i int) int { return i }, func(_ context.Context, key int, items []int) error {
				at[key] = append(at[key], time.Since(base))
				return nil
			})
		require.NoError(t, err)
		for key := range 3 {
			require.NoError(t, k.Send(bg, key))
			time.Sleep(3 * time.Millisecond)
		}
		require.NoError(t, k.Send(bg, 1)) // at 9 ms: full
		require.NoError(t, k.Send(bg, 1)) // the next of its key
		time.Sleep(time.Second)
		synctest.Wait()
		ms := time.Millisecond
		require.Equal(t, map[int][]time.Duration{0: {10 * ms}, 1: {9 * ms, 19 * ms}, 2: {16 * ms}}, at)
		require.False(t, k.Armed())
		require.NoError(t, k.Close())
	})
}

func TestKeyedMaxKeysAndIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{
			Config: batchchan.Config[int]{MaxBatch: 10, Workers: 2}, MaxKeys: 2, KeyIdleTimeout: time.Minute,
		}, func(i int) int { return i }, func(context.Context, int, []int) error {
			time.Sleep(10 * time.Second)
			return nil
		})
		require.NoError(t, err)
		start := time.Now()
		require.NoError(t, k.Send(bg, 1))
		require.NoError(t, k.Send(bg, 2))
		require.ErrorIs(t, k.TrySend(3), batchchan.ErrFull)
		require.ErrorIs(t, k.SendTimeout(3, 0), batchchan.ErrFull)
		require.ErrorIs(t, k.SendTimeout(3, time.Second), batchchan.ErrTimeout)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		require.ErrorIs(t, k.Send(ctx, 3), context.DeadlineExceeded)
		var wg sync.WaitGroup
		wg.Go(func() { require.NoError(t, k.Send(bg, 3)) })
		synctest.Wait()
		require.Equal(t, 1, k.Stats().Waiting)
		k.Validate(t, 2)
		wg.Wait()
		require.Equal(t, 10*time.Second, time.Since(start), "until a key is idle")
		s := k.Stats()
		require.LessOrEqual(t, s.Keys+s.IdleKeys, 2, "the idle make room")
		require.NoError(t, k.Flush(bg))
		require.Equal(t, 2, k.Stats().IdleKeys)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, k.Stats().IdleKeys)
		require.NoError(t, k.Flush(bg))
		require.NoError(t, k.Close())
		<-k.Done()
		checkQuiet(t, k.Stats().Stats)
		k.Validate(t, 0)
	})
}

func TestKeyedFailuresAndShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed []error
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{
			MaxBatch: 1, DetachBatches: true, OnError: func(_ context.Context, err error, items []int) { failed = append(failed, err) },
		}}, func(i int) int { return i % 2 }, func(ctx context.Context, _ int, items []int) error {
			switch items[0] {
			case 0:
				panic("zero")
			case 1:
				runtime.Goexit()
			case 2:
				return errors.New("two")
			}
			<-ctx.Done()
			return nil
		})
		require.NoError(t, err)
		for i := range 3 {
			require.NoError(t, k.Send(bg, i))
			requireFailed(t, 1, k.Flush(bg))
		}
		require.Len(t, failed, 3)
		for i := 3; i < 8; i++ {
			require.NoError(t, k.Send(bg, i))
		}
		synctest.Wait()
		flushed := make(chan error, 1)
		go func() { flushed <- k.Flush(bg) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		back, err := k.Shutdown(ctx)
		require.ErrorContains(t, err, "4 items undelivered, 1 in the processor")
		require.ElementsMatch(t, []int{4, 5, 6, 7}, back)
		require.ErrorIs(t, <-flushed, batchchan.ErrClosed)
		<-k.Done()
		require.ErrorIs(t, k.Flush(bg), batchchan.ErrClosed)
		_, err = k.Shutdown(bg)
		require.NoError(t, err)
		checkQuiet(t, k.Stats().Stats)
	})
}

func TestKeyedConfigErrors(t *testing.T) {
	key := func(i int) int { return i }
	fn := func(context.Context, int, []int) error { return nil }
	for want, cfg := range map[string]batchchan.KeyedConfig[int]{
		"MaxKeys -1":          {MaxKeys: -1},
		"KeyIdleTimeout -1ns": {KeyIdleTimeout: -1},
		"Shards 2":            {Config: batchchan.Config[int]{Shards: 2}},
		"Overflow DropOldest": {Config: batchchan.Config[int]{Overflow: batchchan.DropOldest}},
		"MaxBatch -1":         {Config: batchchan.Config[int]{MaxBatch: -1}},
	} {
		_, err := batchchan.NewKeyed(cfg, key, fn)
		require.ErrorContains(t, err, want)
	}
	_, err := batchchan.NewKeyed[int](batchchan.KeyedConfig[int]{}, nil, fn)
	require.ErrorContains(t, err, "key")
	_, err = batchchan.NewKeyed[int](batchchan.KeyedConfig[int]{}, key, nil)
	require.Error(t, err)
}

// Without MaxKeys, MaxPending bounds the idle keys that are kept.
func TestKeyedIdleKeysAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxPending: 4}, KeyIdleTimeout: time.Hour}, func(v int) int { return v }, func(context.Context, int, []int) error { return nil }))
		for key := range 10 {
			require.NoError(t, k.Send(bg, key))
			synctest.Wait()
			require.Equal(t, min(key+1, 4), k.Stats().IdleKeys)
		}
		require.NoError(t, k.Close())
	})
}
