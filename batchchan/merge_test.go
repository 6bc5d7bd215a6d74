package batchchan_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestMergingCallerSendsEqualRequestsAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := double{gate: make(chan struct{})}
		k, err := batchchan.NewMergingCaller(batchchan.CallerConfig[int]{}, same, d.answer)
		require.NoError(t, err)
		var wg sync.WaitGroup
		do := func(req int) {
			wg.Go(func() {
				v, err := k.Do(bg, req)
				require.NoError(t, err)
				require.Equal(t, 2*req, v)
			})
		}
		for range 20 {
			do(7)
		}
		synctest.Wait()
		do(8)
		do(8) // waits while 7 is with the backend
		synctest.Wait()
		require.Equal(t, []int{7}, d.seen)
		k.Forget(7)
		do(7) // anew
		synctest.Wait()
		close(d.gate)
		wg.Wait()
		require.Equal(t, []int{7, 8, 7}, d.seen)
		s := k.Stats()
		require.EqualValues(t, 20, s.Merged)
		require.Zero(t, s.CacheHits)
		require.EqualValues(t, 3, s.Accepted)
		do(7) // not cached
		wg.Wait()
		require.Len(t, d.seen, 4)
		require.NoError(t, k.Close())
		_, err = k.Do(bg, 7)
		require.ErrorIs(t, err, batchchan.ErrClosed)
		k.Validate(t, 0)
	})
}

func TestMergingCallerWhoLeavesLeavesTheOthersTheirAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := double{gate: make(chan struct{})}
		k, err := batchchan.NewMergingCaller(batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxPending: 1}}, same, d.answer)
		require.NoError(t, err)
		errs := make([]error, 8)
		var wg sync.WaitGroup
		do := func(i, req int, d time.Duration) {
			wg.Go(func() {
				var v int
				v, errs[i] = k.DoTimeout(req, d)
				if errs[i] == nil {
					require.Equal(t, 2*req, v)
				}
			})
			synctest.Wait()
		}
		do(0, 1, time.Hour)   // with the backend
		do(1, 2, time.Second) // waits there, the first of two
		do(2, 2, time.Hour)
		do(3, 3, time.Second) // waits for room, the first of three
		do(4, 3, 2*time.Second)
		do(5, 3, time.Hour)
		do(6, 4, time.Second) // waits for room, alone
		require.Equal(t, 2, k.Stats().Waiting)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, k.Stats().Waiting, "the third leads now")
		require.Equal(t, 1, k.Stats().Pending)
		do(7, 2, time.Second) // joins, and leaves again
		time.Sleep(2 * time.Second)
		close(d.gate)
		wg.Wait()
		require.Equal(t, []error{nil, batchchan.ErrTimeout, nil, batchchan.ErrTimeout, batchchan.ErrTimeout, nil, batchchan.ErrTimeout, batchchan.ErrTimeout}, errs)
		require.Equal(t, []int{1, 2, 3}, d.seen)
		require.Zero(t, batchchan.Joined[int](k))
		require.NoError(t, k.Close())
		k.Validate(t, 0)

		// Where all have left, the room is free and a later one starts anew.
		d = double{gate: make(chan struct{})}
		k, err = batchchan.NewMergingCaller(batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxPending: 1}}, same, d.answer)
		require.NoError(t, err)
		do(0, 1, time.Hour)
		do(1, 2, time.Second)
		do(2, 2, time.Second)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Zero(t, k.Stats().Pending)
		require.EqualValues(t, 1, k.Stats().Cancelled)
		do(3, 2, time.Hour)
		close(d.gate)
		wg.Wait()
		require.NoError(t, errs[3])
		require.NoError(t, k.Close())
	})
}

func TestMergingCallerFailuresAreEverybodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := double{gate: make(chan struct{}), err: errors.New("down")}
		k, err := batchchan.NewMergingCaller(batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxPending: 1, Overflow: batchchan.Reject}, CacheFor: time.Hour}, same, d.answer)
		require.NoError(t, err)
		var wg sync.WaitGroup
		do := func(req int, want error) {
			wg.Go(func() {
				_, err := k.Do(bg, req)
				require.ErrorIs(t, err, want)
			})
			synctest.Wait()
		}
		do(1, d.err)
		do(1, d.err)
		do(2, d.err)
		do(3, batchchan.ErrFull)
		close(d.gate)
		wg.Wait()
		do(1, d.err) // errors are not kept
		require.Equal(t, []int{1, 2, 1}, d.seen)
		wg.Wait()
		require.NoError(t, k.Close())
	})
}

func TestMergingCallerCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d double
		k, err := batchchan.NewMergingCaller(batchchan.CallerConfig[int]{CacheFor: time.Second, MaxCached: 3}, same, d.answer)
		require.NoError(t, err)
		do := func(req int) {
			v, err := k.Do(bg, req)
			require.NoError(t, err)
			require.Equal(t, 2*req, v)
		}
		do(1)
		time.Sleep(time.Second - 1)
		do(1)
		require.EqualValues(t, 1, k.Stats().CacheHits)
		time.Sleep(time.Nanosecond)
		do(1)
		require.Equal(t, []int{1, 1}, d.seen)
		k.Forget(1)
		do(1)
		require.Len(t, d.seen, 3)
		for i := range 10 {
			do(i + 10)
		}
		do(19)
		do(18)
		do(17)
		require.Len(t, d.seen, 13)
		do(16) // the oldest made room
		require.Len(t, d.seen, 14)
		for range 10 {
			k.Forget(16)
			do(16)
		}
		answers, places := batchchan.Cached[int](k)
		require.LessOrEqual(t, answers, 3)
		require.LessOrEqual(t, places, 3)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		_, err = k.Do(ctx, 16)
		require.ErrorIs(t, err, context.Canceled, "ctx wins")
		require.NoError(t, k.Close())
		k.Forget(5)
	})
}

func TestMergingCallerConfigErrors(t *testing.T) {
	fn := new(double).answer
	for want, cfg := range map[string]batchchan.CallerConfig[int]{
		"CacheFor -1ns": {CacheFor: -1}, "MaxCached -1": {MaxCached: -1}, "MaxBatch -1": {Config: batchchan.Config[int]{MaxBatch: -1}},
	} {
		_, err := batchchan.NewMergingCaller(cfg, same, fn)
		require.ErrorContains(t, err, want)
	}
	_, err := batchchan.NewMergingCaller[int, int, int](batchchan.CallerConfig[int]{}, nil, fn)
	require.ErrorContains(t, err, "key")
	_, err = batchchan.NewMergingCaller[int, int, int](batchchan.CallerConfig[int]{}, same, nil)
	require.Error(t, err)
	k, err := batchchan.NewMergingCaller(batchchan.CallerConfig[float64]{}, func(f float64) float64 { return f }, func(context.Context, []float64, []batchchan.Result[int]) error { return nil })
	require.NoError(t, err)
	_, err = k.Do(bg, math.NaN())
	require.ErrorIs(t, err, batchchan.ErrBadKey)
	k.Forget(math.NaN())
	require.NoError(t, k.Close())
}

// An answer that is too old is none, whether or not it has been freed; one that takes
// the place of an old answer stays when that is freed.
func TestMergingCallerCacheOfOldAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d double
		k := batchchan.Must(batchchan.NewMergingCaller(batchchan.CallerConfig[int]{CacheFor: time.Second}, same, d.answer))
		do := func(req int) (asked bool) {
			n := len(d.seen)
			_, err := k.Do(bg, req)
			require.NoError(t, err)
			return len(d.seen) > n
		}
		for i := range 20 {
			require.True(t, do(i))
		}
		time.Sleep(time.Second)
		require.True(t, do(19), "too old")
		for i := range 10 { // each frees some that are too old
			require.True(t, do(100+i))
			require.False(t, do(19), "the new answer")
		}
		answers, places := batchchan.Cached[int](k)
		require.Equal(t, []int{11, 11}, []int{answers, places})
		require.NoError(t, k.Close())
	})
}

// The answer to a request that Forget came after is not kept, and whoever asks anew
// shares the new request.
func TestMergingCallerForgetDuringARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := []chan struct{}{make(chan struct{}), make(chan struct{})}
		calls := 0
		k := batchchan.Must(batchchan.NewMergingCaller(batchchan.CallerConfig[int]{Config: batchchan.Config[int]{Workers: 2, MaxBatch: 1}, CacheFor: time.Hour}, same,
			func(_ context.Context, _ []int, results []batchchan.Result[int]) error {
				n := calls
				calls++
				<-gates[n]
				results[0].Value = n
				return nil
			}))
		var wg sync.WaitGroup
		do := func(want int) {
			wg.Go(func() {
				v, err := k.Do(bg, 7)
				require.NoError(t, err)
				require.Equal(t, want, v)
			})
			synctest.Wait()
		}
		do(0)
		k.Forget(7)
		do(1)
		close(gates[0])
		synctest.Wait()
		do(1)
		require.EqualValues(t, 1, k.Stats().Merged)
		require.Zero(t, k.Stats().CacheHits)
		close(gates[1])
		wg.Wait()
		do(1)
		require.EqualValues(t, 1, k.Stats().CacheHits)
		require.NoError(t, k.Close())
	})
}
