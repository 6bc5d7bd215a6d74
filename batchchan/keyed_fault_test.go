package batchchan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// No item is later than its Linger plus what the workers, or its own key's batch,
// were busy, whatever other times the timer has to keep; and no idle key is kept for
// longer than KeyIdleTimeout.
func TestKeyedLingerModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		linger := time.Duration(rapid.IntRange(1, 50).Draw(rt, "linger")) * time.Millisecond
		idle := time.Duration(rapid.SampledFrom([]int{0, 1, 30, 3_600_000}).Draw(rt, "idle")) * time.Millisecond
		slow := rapid.IntRange(0, 60).Draw(rt, "slow")
		keys := rapid.IntRange(1, 12).Draw(rt, "keys")
		retries := rapid.Bool().Draw(rt, "retries")
		seed := rapid.Uint64().Draw(rt, "seed")
		type item struct {
			key int
			at  time.Duration
		}
		synctest.Test(t, func(*testing.T) {
			base := time.Now()
			now := func() time.Duration { return time.Since(base) }
			var mu sync.Mutex
			freeAt := map[int]time.Duration{} // when the key's last batch ended
			rng := rand.New(rand.NewPCG(seed, 1))
			cfg := KeyedConfig[item]{
				Config:         Config[item]{MaxBatch: 4, Linger: linger, Workers: keys}, // as many workers as keys: none is ever missing
				KeyIdleTimeout: idle,
			}
			if retries {
				cfg.Retry = Retry{MaxAttempts: 2, Backoff: 7 * time.Millisecond, MaxAside: keys}
			}
			k, err := NewKeyed(cfg, func(it item) int { return it.key }, func(_ context.Context, key int, items []item) error {
				mu.Lock()
				if late := now() - max(items[0].at+linger, freeAt[key]); late > 0 {
					rt.Errorf("key %d: %v late", key, late)
				}
				d := time.Duration(rng.IntN(slow+1)) * time.Millisecond
				fail := retries && rng.IntN(3) == 0
				mu.Unlock()
				time.Sleep(d)
				mu.Lock()
				defer mu.Unlock()
				freeAt[key] = now()
				if fail {
					freeAt[key] += time.Hour // the rest of what is late is the back-off's
					return errors.New("again")
				}
				return nil
			})
			require.NoError(rt, err)
			send := rand.New(rand.NewPCG(seed, 2))
			for range 200 {
				time.Sleep(time.Duration(send.IntN(20)) * time.Millisecond)
				if send.IntN(40) == 0 {
					time.Sleep(time.Second) // everything idle
				}
				require.NoError(rt, k.Send(bg, item{send.IntN(keys), now()}))
			}
			time.Sleep(linger + time.Minute)
			synctest.Wait()
			s := k.Stats()
			require.Zero(rt, s.Pending)
			if idle < time.Minute {
				require.Zero(rt, s.IdleKeys)
			}
			k.k.validate(rt, 0)
			_ = k.Close()
		})
	})
}

// The timer always runs for the earliest of all that has a time.
func TestKeyedTimerIsForTheEarliest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []string
		k, err := NewKeyed(KeyedConfig[string]{Config: Config[string]{Linger: time.Minute, MaxBatch: 2}, KeyIdleTimeout: time.Second},
			func(s string) string { return s }, func(_ context.Context, key string, items []string) error {
				at = append(at, fmt.Sprint(key, " ", time.Since(start)))
				return nil
			})
		require.NoError(t, err)
		require.NoError(t, k.Send(bg, "a")) // armed for a minute
		require.NoError(t, k.Send(bg, "b"))
		require.NoError(t, k.Send(bg, "b")) // full: idle at once, to be forgotten after a second
		synctest.Wait()
		require.Equal(t, 1, k.Stats().IdleKeys)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Zero(t, k.Stats().IdleKeys, "KeyIdleTimeout is earlier than Linger")
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, []string{"b 0s", "a 1m0s"}, at)
		require.NoError(t, k.Close())
	})
}

// A send that finds no room makes the oldest batch due, whatever the bound and the
// policy.
func TestKeyedFullCutsTheOldest(t *testing.T) {
	for _, linger := range []time.Duration{time.Hour, -1} {
		for name, cfg := range map[string]KeyedConfig[int]{
			"MaxPending":      {Config: Config[int]{MaxPending: 8}},
			"MaxKeys":         {MaxKeys: 8},
			"MaxPendingBytes": {Config: Config[int]{MaxPendingBytes: 8, SizeOf: func(int) int { return 1 }}},
		} {
			for _, policy := range []Overflow{Block, Reject, DropNewest} {
				t.Run(fmt.Sprint(name, linger, policy), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						cfg := cfg
						cfg.Linger, cfg.Overflow, cfg.MaxBatch = linger, policy, 100
						var got []int
						k, err := NewKeyed(cfg, func(v int) int { return v }, func(_ context.Context, key int, _ []int) error {
							got = append(got, key)
							return nil
						})
						require.NoError(t, err)
						start := time.Now()
						for i := range 8 {
							require.NoError(t, k.Send(bg, i))
						}
						synctest.Wait()
						require.Empty(t, got)
						for i := 8; i < 12; i++ {
							err := k.Send(bg, i)
							if policy == Reject {
								require.ErrorIs(t, err, ErrFull)
							} else {
								require.NoError(t, err)
							}
							synctest.Wait()
							if policy != Block {
								require.NoError(t, k.Send(bg, i), "now there is room")
							}
							require.Equal(t, upTo(i-7), got)
							k.k.validate(t, 0)
						}
						require.Zero(t, time.Since(start))
						require.NoError(t, k.Close())
					})
				})
			}
		}
	}
}

// Whom only a key holds up holds up nobody behind it: neither one with a busy key
// nor, when a key becomes free, the next.
func TestKeyedNoKeyBlocksAnotherAtTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		k, err := NewKeyed(KeyedConfig[int]{Config: Config[int]{MaxBatch: 2, MaxPending: 4, Workers: 2}, MaxKeys: 2},
			func(v int) int { return v / 10 }, func(_ context.Context, key int, items []int) error {
				<-gate
				return nil
			})
		require.NoError(t, err)
		require.NoError(t, k.Send(bg, 10))
		require.NoError(t, k.Send(bg, 20))
		synctest.Wait() // both in the processor
		var wg sync.WaitGroup
		var mu sync.Mutex
		var order []int
		send := func(v int) {
			wg.Go(func() {
				require.NoError(t, k.Send(bg, v))
				mu.Lock()
				order = append(order, v)
				mu.Unlock()
			})
			synctest.Wait()
		}
		send(30) // waits for a key
		send(31)
		send(40)
		require.Empty(t, order)
		send(11) // there is room for its key
		send(12)
		require.Equal(t, []int{11, 12}, order)
		send(21)
		send(22)
		require.Equal(t, []int{11, 12, 21, 22}, order)
		send(13) // waits for room
		require.Equal(t, 4, k.Stats().Waiting)
		k.k.validate(t, 2)
		gate <- struct{}{} // one batch ends, and that key's next is taken: room for two
		synctest.Wait()
		require.Contains(t, order, 13, "a sender whose key is busy is not behind those that wait for a key")
		require.NotContains(t, order, 30)
		close(gate)
		wg.Wait()
		require.ElementsMatch(t, []int{11, 12, 21, 22, 13, 30, 31, 40}, order)
		require.NoError(t, k.Close())
		k.k.validate(t, 0)
	})
}

// Senders that wait with keys for which there is no room cost those that go on
// nothing: nobody looks at them.
func TestKeyedSendersThatWaitAreNotLookedAt(t *testing.T) {
	if raceEnabled {
		t.Skip("its times are those of the race detector")
	}
	steps := func(blocked int) int {
		gate := make(chan struct{})
		looked := 0
		k, err := NewKeyed(KeyedConfig[int]{Config: Config[int]{MaxBatch: 1, MaxPending: 1000}, MaxKeys: 1},
			func(v int) int { return v }, func(context.Context, int, []int) error { <-gate; return nil })
		require.NoError(t, err)
		require.NoError(t, k.Send(bg, 0))
		ctx, cancel := context.WithCancel(bg)
		var wg sync.WaitGroup
		for i := range blocked {
			wg.Go(func() { _ = k.Send(ctx, i+1) })
		}
		for k.Stats().Waiting < blocked {
			runtime.Gosched()
		}
		for _, h := range []*keyHeap[int, int]{&k.k.core.line.wantKey, &k.k.core.line.wantRoom} {
			number := h.number
			h.number = func(s *keyState[int, int]) uint64 { looked++; return number(s) }
		}
		k.k.mu.lock()
		looked = 0
		k.k.mu.unlock()
		for range 500 {
			require.NoError(t, k.Send(bg, 0))
		}
		k.k.mu.lock()
		n := looked
		k.k.mu.unlock()
		cancel()
		wg.Wait()
		close(gate)
		require.NoError(t, k.Close())
		return n
	}
	require.Zero(t, steps(10))
	require.Zero(t, steps(200))
}
