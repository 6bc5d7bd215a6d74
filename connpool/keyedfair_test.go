package connpool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// work keeps n goroutines busy with the key, each loan of the given length, until
// stop is closed.
func work(wg *sync.WaitGroup, stop chan struct{}, k *connpool.Keyed[string, *fake], key string, n int, hold time.Duration, served *atomic.Int64) {
	for range n {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				err := k.Do(context.Background(), key, func(context.Context, *fake) error {
					time.Sleep(hold) // real time: a loan's length; in a bubble
					return nil
				})
				if err == nil {
					served.Add(1)
				}
			}
		})
	}
}

// At MaxTotal, keys with waiters of their own do not keep a quiet one from being
// served, whatever the numbers; slots spread evenly over the keys that wait.
func TestKeyedIsFairBetweenKeysThatWait(t *testing.T) {
	for _, tt := range []struct {
		total   int
		workers map[string]int
	}{
		{2, map[string]int{"busy": 6, "quiet": 1}},
		{1, map[string]int{"a": 3, "b": 1}},
		{2, map[string]int{"a": 5, "b": 5, "c": 5}}, // more keys than slots
		{8, map[string]int{"a": 40, "b": 40}},
		{9, map[string]int{"a": 60, "b": 6, "c": 6}},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal, c.Pool.MaxOpen = tt.total, tt.total })
				var wg sync.WaitGroup
				stop := make(chan struct{})
				served := map[string]*atomic.Int64{}
				for key := range tt.workers {
					served[key] = new(atomic.Int64)
				}
				for _, key := range slices.Sorted(func(yield func(string) bool) {
					for key := range tt.workers {
						if !yield(key) {
							return
						}
					}
				}) { // the first takes all there is
					work(&wg, stop, k, key, tt.workers[key], ms, served[key])
					time.Sleep(5 * ms)
				}
				time.Sleep(500 * ms)
				for _, n := range served {
					n.Store(0)
				}
				dials := s.n(&s.dials)
				time.Sleep(2 * time.Second)
				require.NoError(t, k.Validate())
				dials = s.n(&s.dials) - dials
				close(stop)
				wg.Wait()
				even := 2000 * tt.total / len(tt.workers) // loans of 1 ms in 2 s
				for key, n := range served {
					require.Greater(t, n.Load(), int64(even)*6/10, "%s of %d", key, even)
				}
				if len(tt.workers) <= tt.total {
					require.Zero(t, dials, "each has its share")
				}
				require.LessOrEqual(t, dials, 201*tt.total, "a slot moves once in keyTurn")
				s.endKeyed(k)
				require.LessOrEqual(t, s.n(&s.peak), tt.total)
			})
		})
	}
}

// Goroutines that use one of several keys at random: each key comes to have what it
// mostly needs, and keeps it.
func TestKeyedDoesNotChurn(t *testing.T) {
	for hold, dials := range map[time.Duration]int{0: 24, ms: 24, 20 * ms: 80} { // of 8000 loans
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			s.dialTime = ms
			k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal, c.Pool.MaxOpen = 20, 20 })
			var wg sync.WaitGroup
			for g := range 16 {
				rng := rand.New(rand.NewPCG(uint64(g), 3))
				wg.Go(func() {
					for range 500 {
						_ = k.Do(context.Background(), fmt.Sprint(rng.IntN(3)), func(context.Context, *fake) error {
							time.Sleep(hold) // real time: a loan's length; in a bubble
							return nil
						})
					}
				})
			}
			wg.Wait()
			require.LessOrEqual(t, s.n(&s.dials), dials, "loans of %v", hold)
			s.endKeyed(k)
		})
	}
}

// A TryAcquire, which does not wait, takes no connection that another key has just used.
func TestKeyedStealsOnlyOldConnsForWhoDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal, c.Pool.Tick = 1, 100*ms })
		use(t, k, "a")
		_, err := k.TryAcquire("b")
		require.ErrorIs(t, err, connpool.ErrNotReady)
		time.Sleep(ms)
		st, _ := k.KeyStats("a")
		require.Equal(t, 1, st.Idle)
		time.Sleep(connpool.MinIdleAge + 200*ms)
		_, err = k.TryAcquire("b")
		require.ErrorIs(t, err, connpool.ErrNotReady)
		synctest.Wait()
		_, err = k.TryAcquire("b")
		require.ErrorIs(t, err, connpool.ErrNotReady)
		synctest.Wait()
		c, err := k.TryAcquire("b")
		require.NoError(t, err)
		c.Release()
		s.endKeyed(k)
	})
}

// MinIdle of more keys than MaxTotal has room for: what is there stays there.
func TestKeyedMinIdleTakesNothingFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal, c.Pool.MinIdle = 2, 1 })
		for _, key := range []string{"a", "b", "c"} {
			use(t, k, key)
		}
		time.Sleep(time.Second)
		before := s.n(&s.dials)
		time.Sleep(time.Minute)
		require.Equal(t, before, s.n(&s.dials))
		s.endKeyed(k)
	})
}

// A call that has given up must not cost another key a connection later.
func TestKeyedWhoLeftTheLineCostsNothing(t *testing.T) {
	leave := map[string]func(t *testing.T, k *connpool.Keyed[string, *fake]){
		"an Acquire that gave up": func(t *testing.T, k *connpool.Keyed[string, *fake]) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := k.Acquire(ctx, "b")
			require.ErrorIs(t, err, context.DeadlineExceeded)
		},
		"a Warm that gave up": func(t *testing.T, k *connpool.Keyed[string, *fake]) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.ErrorIs(t, k.Warm(ctx, "b", 1), context.DeadlineExceeded)
		},
		"TryAcquire": func(t *testing.T, k *connpool.Keyed[string, *fake]) {
			_, err := k.TryAcquire("b")
			require.ErrorIs(t, err, connpool.ErrNotReady)
		},
	}
	for name, f := range leave {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal = 1 })
			c, err := k.Acquire(t.Context(), "a")
			require.NoError(t, err)
			f(t, k)
			time.Sleep(time.Minute)
			require.NoError(t, k.Validate())
			require.NoError(t, k.AtRest(), name)
			c.Release()
			time.Sleep(time.Second)
			require.Equal(t, 1, k.Stats().Idle, name)
			s.endKeyed(k)
		})
	}
}

// A key whose dials the back-off forbids does not stand in the way of others.
func TestKeyedAKeyThatMayNotDialLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) {
			c.MaxTotal, c.Pool.Backoff = 1, connpool.Backoff{Min: time.Hour}
			c.Dial = func(ctx context.Context, key string) (*fake, error) {
				if key == "down" {
					s.set(func() { s.dials++ })
					return nil, errDown
				}
				return s.dial(ctx)
			}
		})
		held, err := k.Acquire(t.Context(), "a")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 3)
		for range 2 {
			go func() {
				_, err := k.Acquire(ctx, "down")
				done <- err
			}()
		}
		synctest.Wait()
		go func() {
			c, err := k.Acquire(t.Context(), "b")
			if err == nil {
				c.Release()
			}
			done <- err
		}()
		synctest.Wait()
		held.Release()
		first, second := <-done, <-done // in any order: one of the key that is down, and b
		if first == nil {
			first, second = second, first
		}
		require.ErrorIs(t, first, errDown)
		require.NoError(t, second, "while the other of the key that is down waits for the back-off")
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		s.endKeyed(k)
	})
}

func TestKeyedKeysWithMinIdleVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.KeyIdleTimeout, c.Pool.MinIdle = time.Minute, 1 })
		for i := range 10 {
			use(t, k, fmt.Sprint(i))
		}
		time.Sleep(30 * time.Second)
		require.GreaterOrEqual(t, k.Stats().Idle, 10)
		dials := s.n(&s.dials)
		use(t, k, "7")
		time.Sleep(45 * time.Second)
		require.Equal(t, []string{"7"}, k.Keys())
		require.NotZero(t, k.Stats().Idle, "kept while the key is in use")
		time.Sleep(time.Hour)
		require.Empty(t, k.Keys())
		require.LessOrEqual(t, s.n(&s.dials), dials+1)
		use(t, k, "7")
		s.endKeyed(k)
	})
}

func TestWaitErrorOfAKeyedSaysHowMaxTotalIsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		k := s.keyed(func(c *connpool.KeyedConfig[string, *fake]) { c.MaxTotal, c.Name, c.Pool.Name = 3, "all", "each" })
		var held []connpool.Conn[*fake]
		for _, key := range []string{"a", "b", "b"} {
			c, err := k.Acquire(t.Context(), key)
			require.NoError(t, err)
			held = append(held, c)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := k.Acquire(ctx, "c")
		require.EqualError(t, err, `connpool: "each": acquire: context deadline exceeded after 1s (0 of 2 open, 0 in use, `+
			`0 dialing, 0 waiting, 3 of 3 open in all keys: "b" 2, "a" 1)`)
		st, _ := k.KeyStats("a")
		require.Equal(t, []string{"all", "each"}, []string{k.Stats().Name, st.Name})
		for _, c := range held {
			c.Release()
		}
		s.endKeyed(k)
	})
}
