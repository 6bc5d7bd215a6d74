package connpool_test

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func (s *server) keyed(change ...func(*connpool.KeyedConfig[string, *fake])) *connpool.Keyed[string, *fake] {
	cfg := connpool.KeyedConfig[string, *fake]{
		Dial: func(ctx context.Context, _ string) (*fake, error) { return s.dial(ctx) },
		Pool: connpool.Config[*fake]{Close: s.close, MaxOpen: 2},
	}
	for _, f := range change {
		f(&cfg)
	}
	k, err := connpool.NewKeyed(cfg)
	require.NoError(s.t, err)
	return k
}

func (s *server) endKeyed(k *connpool.Keyed[string, *fake]) {
	s.t.Helper()
	require.NoError(s.t, k.Close())
	st := k.Stats()
	require.Zero(s.t, st.Open)
	require.Equal(s.t, st.Dials, st.DialErrors+st.Closed)
	require.EqualValues(s.t, s.n(&s.dials), st.Dials)
	require.Zero(s.t, s.n(&s.slots))
	require.NoError(s.t, k.Validate())
	require.NoError(s.t, k.AtRest())
	require.Zero(s.t, k.Slots(), "slots of the limiter")
}

func use(t testing.TB, k *connpool.Keyed[string, *fake], key string) {
	t.Helper()
	c, err := k.Acquire(t.Context(), key)
	require.NoError(t, err)
	c.Release()
}

func TestKeyedClosesTheLeastRecentlyUsedKeyFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal = 3 })
		for _, key := range []string{"a", "b", "c", "a", "b"} { // so c is the oldest
			use(t, k, key)
		}
		for i, victim := range []string{"c", "a", "b"} {
			use(t, k, fmt.Sprint("new", i))
			st, _ := k.KeyStats(victim)
			require.Zero(t, st.Open, victim)
			require.EqualValues(t, 1, st.ClosedBy.KeyLimit, victim)
			require.EqualValues(t, i+1, k.Stats().ClosedBy.KeyLimit)
		}
		s.endKeyed(k)
		require.Equal(t, 3, s.n(&s.peak))
	})
}

func TestKeyedWaitsForAReturnAtTheGlobalMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal = 2 })
		a, err := k.Acquire(t.Context(), "a")
		require.NoError(t, err)
		b, err := k.Acquire(t.Context(), "b")
		require.NoError(t, err)
		got := make(chan connpool.Conn[*fake])
		go func() {
			c, err := k.Acquire(t.Context(), "c")
			require.NoError(t, err)
			got <- c
		}()
		synctest.Wait()
		require.Equal(t, 1, k.Stats().Waiting)
		begin := time.Now()
		b.Release() // goes idle under another key: closed, the slot moves
		(<-got).Release()
		require.Equal(t, connpool.KeyTurn, time.Since(begin), "it had just been dialed")
		require.EqualValues(t, 1, k.Stats().ClosedBy.KeyLimit)
		a.Release()
		synctest.Wait()
		require.EqualValues(t, 1, k.Stats().ClosedBy.KeyLimit, "nobody lacks a slot any more")
		s.endKeyed(k)
		require.Equal(t, 2, s.n(&s.peak))
	})
}

func TestKeyedPerKeyMaximum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) {
			c.ForKey = func(key string, c connpool.Config[*fake]) connpool.Config[*fake] {
				if key == "big" {
					c.MaxOpen = 5
				}
				return c
			}
		})
		for key, n := range map[string]int{"big": 5, "small": 2} {
			require.NoError(t, k.Warm(t.Context(), key, n))
			require.Error(t, k.Warm(t.Context(), key, n+1))
			require.Len(t, k.Conns(key), n)
		}
		require.Equal(t, 7, k.Stats().MaxOpen)
		s.endKeyed(k)
	})
}

func TestKeyedIdleKeysVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) {
			c.KeyIdleTimeout, c.Pool.Tick = 10*time.Second, time.Second
		})
		for i := range 100 {
			use(t, k, fmt.Sprint(i))
		}
		held, err := k.Acquire(t.Context(), "held")
		require.NoError(t, err)
		for range 8 {
			time.Sleep(time.Second)
			use(t, k, "7")
		}
		require.Equal(t, 101, k.Stats().Keys)
		time.Sleep(6 * time.Second)
		require.ElementsMatch(t, []string{"7", "held"}, k.Keys())
		time.Sleep(20 * time.Second)
		require.Equal(t, []string{"held"}, k.Keys(), "what is on loan keeps its key")
		require.EqualValues(t, 109, k.Stats().Acquires, "the books keep what vanished")
		held.Release()
		time.Sleep(20 * time.Second)
		require.Empty(t, k.Keys())
		use(t, k, "7")
		s.endKeyed(k)
	})
}

func TestKeyedRemembersAKeyThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr = errDown
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) {
			c.Pool.Tick = time.Second
			c.Pool.Breaker = connpool.Breaker{Failures: 3, OpenFor: 30 * time.Second}
		})
		for range 3 {
			_, err := k.Acquire(t.Context(), "a")
			require.ErrorIs(t, err, errDown)
			time.Sleep(10 * time.Second)
		}
		_, err := k.Acquire(t.Context(), "a")
		require.ErrorIs(t, err, connpool.ErrBreakerOpen)
		time.Sleep(time.Hour)
		require.Empty(t, k.Keys())
		s.endKeyed(k)
	})
}

func TestKeyedClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed()
		c, err := k.Acquire(t.Context(), "a")
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, k.Shutdown(ctx), context.DeadlineExceeded)
		_, err = k.Acquire(t.Context(), "a")
		require.ErrorIs(t, err, connpool.ErrClosed)
		_, err = k.TryAcquire("b")
		require.ErrorIs(t, err, connpool.ErrClosed)
		require.ErrorIs(t, k.Do(t.Context(), "b", nil), connpool.ErrClosed)
		c.Release()
		s.endKeyed(k)
	})
}

// A dial through another pool that is closed: its error must not be taken for a
// sign that the key has vanished, and tried again for ever.
func TestKeyedReturnsADialErrorThatWrapsErrClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr = fmt.Errorf("tunnel: %w", connpool.ErrClosed)
		k := s.keyed()
		_, err := k.Acquire(t.Context(), "a")
		require.ErrorIs(t, err, connpool.ErrClosed)
		require.ErrorContains(t, err, "tunnel")
		require.ErrorContains(t, k.Warm(t.Context(), "a", 1), "tunnel")
		require.Equal(t, 2, s.n(&s.dials))
		s.endKeyed(k)
	})
}

func TestKeyedRefusesKeysThatItCouldNotFindAgain(t *testing.T) {
	k, err := connpool.NewKeyed(connpool.KeyedConfig[any, int]{
		Dial: func(context.Context, any) (int, error) { return 1, nil },
		Pool: connpool.Config[int]{Close: func(int) error { return nil }},
	})
	require.NoError(t, err)
	_, err = k.Acquire(t.Context(), math.NaN())
	require.ErrorContains(t, err, "not equal to itself")
	require.Empty(t, k.Keys())
	for name, f := range map[string]func(key any){
		"Acquire":    func(key any) { _, _ = k.Acquire(t.Context(), key) },
		"TryAcquire": func(key any) { _, _ = k.TryAcquire(key) },
		"Do":         func(key any) { _ = k.Do(t.Context(), key, nil) },
		"Warm":       func(key any) { _ = k.Warm(t.Context(), key, 1) },
		"Reset":      func(key any) { k.Reset(key) },
		"KeyStats":   func(key any) { _, _ = k.KeyStats(key) },
		"Conns":      func(key any) { k.Conns(key) },
	} {
		require.Panics(t, func() { f([]int{1}) }, name)
		require.NotPanics(t, func() { f(math.NaN()) }, name)
		require.True(t, k.Unlocked(), name)
	}
	require.NoError(t, k.Do(t.Context(), "a", func(context.Context, int) error { return nil }))
	require.NoError(t, k.Close())
}

func TestKeyedAllocatesNothing(t *testing.T) {
	k, err := connpool.NewKeyed(connpool.KeyedConfig[string, int]{
		Dial: func(context.Context, string) (int, error) { return 1, nil },
		Pool: connpool.Config[int]{Close: func(int) error { return nil }}, MaxTotal: 8,
	})
	require.NoError(t, err)
	keys := []string{"one", "two"}
	i := 0
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		c, err := k.Acquire(t.Context(), keys[i&1])
		i++
		if err == nil {
			c.Release()
		}
	}))
	require.NoError(t, k.Close())
}

func TestKeyedConfigErrors(t *testing.T) {
	s := newServer(t)
	dial := func(ctx context.Context, _ string) (*fake, error) { return s.dial(ctx) }
	for want, cfg := range map[string]connpool.KeyedConfig[string, *fake]{
		"Dial is nil":       {Pool: connpool.Config[*fake]{Close: s.close}},
		"Pool.Dial must be": {Dial: dial, Pool: s.config()},
		"Close is nil":      {Dial: dial},
		"MaxTotal -1":       {Dial: dial, Pool: connpool.Config[*fake]{Close: s.close}, MaxTotal: -1},
		"MinIdle 9 exceeds": {Dial: dial, Pool: connpool.Config[*fake]{Close: s.close, MinIdle: 9, MaxOpen: 4}},
	} {
		_, err := connpool.NewKeyed(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestKeyedStress(t *testing.T) {
	s := newServer(t)
	s.onDial = func(_ context.Context, n int) error {
		if n%7 == 0 {
			return errDown
		}
		return nil
	}
	k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) {
		c.MaxTotal, c.KeyIdleTimeout, c.Pool.Tick = 5, ms, ms
	})
	var wg sync.WaitGroup
	seeds := connpool.NewRand(t)
	for range 12 {
		rng := split(seeds)
		wg.Go(func() {
			for i := range long(t, 2000) {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				if i%5 == 0 {
					cancel()
					ctx, cancel = context.WithTimeout(context.Background(), 50*time.Microsecond)
				}
				c, err := k.Acquire(ctx, fmt.Sprint(rng.IntN(8)))
				cancel()
				if err == nil {
					s.use(c, 0)
					if i%10 == 0 {
						c.Destroy(nil)
					} else {
						c.Release()
					}
				} else if i%5 != 0 {
					require.ErrorIs(t, err, errDown)
				}
			}
		})
	}
	wg.Wait()
	s.endKeyed(k)
	require.LessOrEqual(t, s.n(&s.peak), 5)
}
