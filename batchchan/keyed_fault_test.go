package batchchan_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// The timer always runs for the earliest of all that has a time.
func TestKeyedTimerIsForTheEarliest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []string
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[string]{Config: batchchan.Config[string]{Linger: time.Minute, MaxBatch: 2}, KeyIdleTimeout: time.Second},
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
		for name, cfg := range map[string]batchchan.KeyedConfig[int]{
			"MaxPending":      {Config: batchchan.Config[int]{MaxPending: 8}},
			"MaxKeys":         {MaxKeys: 8},
			"MaxPendingBytes": {Config: batchchan.Config[int]{MaxPendingBytes: 8, SizeOf: func(int) int { return 1 }}},
		} {
			for _, policy := range []batchchan.Overflow{batchchan.Block, batchchan.Reject, batchchan.DropNewest} {
				t.Run(fmt.Sprint(name, linger, policy), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						cfg := cfg
						cfg.Linger, cfg.Overflow, cfg.MaxBatch = linger, policy, 100
						var got []int
						k, err := batchchan.NewKeyed(cfg, func(v int) int { return v }, func(_ context.Context, key int, _ []int) error {
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
							if policy == batchchan.Reject {
								require.ErrorIs(t, err, batchchan.ErrFull)
							} else {
								require.NoError(t, err)
							}
							synctest.Wait()
							if policy != batchchan.Block {
								require.NoError(t, k.Send(bg, i), "now there is room")
							}
							require.Equal(t, upTo(i-7), got)
							k.Validate(t, 0)
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
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 2, MaxPending: 4, Workers: 2}, MaxKeys: 2},
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
		k.Validate(t, 2)
		gate <- struct{}{} // one batch ends, and that key's next is taken: room for two
		synctest.Wait()
		require.Contains(t, order, 13, "a sender whose key is busy is not behind those that wait for a key")
		require.NotContains(t, order, 30)
		close(gate)
		wg.Wait()
		require.ElementsMatch(t, []int{11, 12, 21, 22, 13, 30, 31, 40}, order)
		require.NoError(t, k.Close())
		k.Validate(t, 0)
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
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 1, MaxPending: 1000}, MaxKeys: 1},
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
		k.CountLooks(&looked)
		k.Frozen(func() { looked = 0 })
		for range 500 {
			require.NoError(t, k.Send(bg, 0))
		}
		n := 0
		k.Frozen(func() { n = looked })
		cancel()
		wg.Wait()
		close(gate)
		require.NoError(t, k.Close())
		return n
	}
	require.Zero(t, steps(10))
	require.Zero(t, steps(200))
}
