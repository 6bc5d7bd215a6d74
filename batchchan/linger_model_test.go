package batchchan_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/batchchan"
)

// lingerItem is an item that knows when it was sent.
type lingerItem struct {
	key, nth int
	at       time.Duration
}

// lingerModel is a processor that fails at random and looks at the time: no item is
// later than its Linger, and no further attempt than its back-off, plus what all
// workers, or its own key's batch, were busy. Nothing is earlier than its back-off.
type lingerModel struct {
	t             *rapid.T
	linger, retry time.Duration
	slow, workers int
	keyed, fails  bool
	base          time.Time

	mu     sync.Mutex
	rng    *rand.Rand
	busy   int
	freed  time.Duration         // when the last of the workers that were all busy became free
	freeAt map[int]time.Duration // when the key's last batch ended
	again  map[int]time.Duration // when the batch with that first item is to be tried again
	aside  map[int]int           // such batches by key
}

func (m *lingerModel) now() time.Duration { return time.Since(m.base) }

func (m *lingerModel) process(items []lingerItem) error {
	first := items[0]
	m.mu.Lock()
	due, retry := m.again[first.nth]
	if retry {
		delete(m.again, first.nth)
		m.aside[first.key]--
		if early := due - m.now(); early > 0 {
			m.t.Errorf("item %d: tried again %v early", first.nth, early)
		}
	} else {
		due = first.at + m.linger
		if m.keyed {
			due = max(due, m.freeAt[first.key])
			if m.aside[first.key] > 0 {
				m.t.Errorf("item %d overtakes a batch of its key", first.nth)
			}
		}
	}
	if late := m.now() - max(due, m.freed); late > 0 {
		m.t.Errorf("item %d: %v late", first.nth, late)
	}
	m.busy++
	d := time.Duration(m.rng.IntN(m.slow+1)) * time.Millisecond
	fails := m.fails && !retry && m.rng.IntN(3) == 0
	m.mu.Unlock()

	time.Sleep(d) // real time: none, all models run in a bubble

	m.mu.Lock()
	defer m.mu.Unlock()
	m.freeAt[first.key] = m.now()
	if m.busy == m.workers {
		m.freed = m.now()
	}
	m.busy--
	if !fails {
		return nil
	}
	m.again[first.nth] = m.now() + m.retry
	m.aside[first.key]++
	return errors.New("again")
}

// Whatever the timer has to keep: random lingers, back-offs, idle times and times that
// batches take.
func TestLingerModel(t *testing.T) {
	for _, name := range []string{"Batcher", "Keyed"} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				keys := rapid.IntRange(1, 12).Draw(rt, "keys")
				seed := rapid.Uint64().Draw(rt, "seed")
				m := &lingerModel{
					t:       rt,
					keyed:   name == "Keyed",
					linger:  time.Duration(rapid.IntRange(1, 50).Draw(rt, "linger")) * time.Millisecond,
					retry:   time.Duration(rapid.SampledFrom([]int{1, 7, 80, 3_000}).Draw(rt, "retry")) * time.Millisecond,
					slow:    rapid.IntRange(0, 60).Draw(rt, "slow"),
					workers: rapid.IntRange(1, 12).Draw(rt, "workers"),
					fails:   rapid.Bool().Draw(rt, "fails"),
					rng:     rand.New(rand.NewPCG(seed, 1)),
					freeAt:  map[int]time.Duration{},
					again:   map[int]time.Duration{},
					aside:   map[int]int{},
				}
				idle := time.Duration(rapid.SampledFrom([]int{0, 1, 30, 3_600_000}).Draw(rt, "idle")) * time.Millisecond
				cfg := batchchan.Config[lingerItem]{
					MaxBatch: 4, Linger: m.linger, Workers: m.workers,
					Retry: batchchan.Retry{MaxAttempts: 2, Backoff: m.retry, NoJitter: true, MaxAside: 1000},
				}
				synctest.Test(t, func(*testing.T) {
					m.base = time.Now()
					var s testedLinger
					if m.keyed {
						k, err := batchchan.NewKeyed(batchchan.KeyedConfig[lingerItem]{Config: cfg, KeyIdleTimeout: idle}, func(it lingerItem) int { return it.key },
							func(_ context.Context, _ int, items []lingerItem) error { return m.process(items) })
						require.NoError(rt, err)
						s = testedLinger{k.Send, k.Close, k.Stats, func() { k.Validate(rt, 0) }}
					} else {
						b, err := batchchan.New(cfg, func(_ context.Context, items []lingerItem) error { return m.process(items) })
						require.NoError(rt, err)
						s = testedLinger{b.Send, b.Close, func() batchchan.KeyedStats { return batchchan.KeyedStats{Stats: b.Stats()} }, func() { b.Validate(rt, 0) }}
					}
					rng := rand.New(rand.NewPCG(seed, 2))
					for nth := range 200 {
						time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
						if rng.IntN(40) == 0 {
							time.Sleep(time.Second) // everything idle
						}
						require.NoError(rt, s.send(bg, lingerItem{rng.IntN(keys), nth, m.now()}))
					}
					time.Sleep(time.Hour / 2)
					synctest.Wait()
					require.Zero(rt, s.stats().Pending)
					require.Zero(rt, s.stats().Aside)
					if idle < time.Minute {
						require.Zero(rt, s.stats().IdleKeys)
					}
					s.validate()
					_ = s.close()
				})
			})
		})
	}
}

// testedLinger is a type that TestLingerModel tests.
type testedLinger struct {
	send     func(context.Context, lingerItem) error
	close    func() error
	stats    func() batchchan.KeyedStats
	validate func()
}
