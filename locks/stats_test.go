package locks_test

import (
	"bytes"
	"encoding/json"
	"iter"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/stats"
	"github.com/poundlock/poundlock/locks"
)

// instrumented are all types of the package that have Stats.
func instrumented() map[string]instrument {
	rw, m, k := new(locks.RWMutex), new(locks.SpinMutex), locks.NewKeyed[string](locks.WithName("accounts"))
	rw.SetOptions(locks.RWOptions{Name: "accounts", HoldSampling: 1})
	m.SetName("accounts")
	return map[string]instrument{
		"RWMutex": {
			rw.Histograms, func() any { return rw.Stats() },
			func() func() { rw.Lock(); return rw.Unlock },
			func(d time.Duration) (func(), bool) { return rw.RUnlock, rw.RLockTimeout(d) },
			func(d time.Duration) (func(), bool) { return rw.Unlock, rw.LockTimeout(d) },
		},
		"SpinMutex": {
			m.Histograms, func() any { return m.Stats() },
			func() func() { m.Lock(); return m.Unlock },
			func(d time.Duration) (func(), bool) { return m.Unlock, m.LockTimeout(d) },
			func(d time.Duration) (func(), bool) { return m.Unlock, m.LockTimeout(d) },
		},
		"Keyed": {
			k.Histograms, func() any { return k.Stats() },
			func() func() { return k.Lock("a").Unlock },
			func(d time.Duration) (func(), bool) { h, ok := k.RLockTimeout("a", d); return h.Unlock, ok },
			func(d time.Duration) (func(), bool) { h, ok := k.LockTimeout("a", d); return h.Unlock, ok },
		},
	}
}

type instrument struct {
	histograms  func() iter.Seq2[string, func(*stats.Snapshot)]
	stats       func() any
	lock        func() func()
	read, write func(time.Duration) (func(), bool)
}

// wait makes one reader and one writer wait for a second, and one of each give up
// before.
func (i instrument) wait() {
	unlock := i.lock()
	var wg sync.WaitGroup
	for _, d := range []time.Duration{time.Millisecond, time.Hour} {
		for _, lock := range []func(time.Duration) (func(), bool){i.read, i.write} {
			wg.Go(func() {
				if unlock, ok := lock(d); ok {
					unlock()
				}
			})
		}
	}
	time.Sleep(time.Second) // real time: that of a bubble, in all tests that call this
	unlock()
	wg.Wait()
}

// TestHistogramsAreThoseOfStats: each Latency of Stats has its distribution, with as
// many values, those of waits that were given up too.
func TestHistogramsAreThoseOfStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, i := range instrumented() {
			i.wait()
			latencies := map[string]stats.Latency{}
			v := reflect.ValueOf(i.stats())
			for f := range v.NumField() {
				if l, ok := v.Field(f).Interface().(stats.Latency); ok {
					latencies[v.Type().Field(f).Tag.Get("json")] = l
				}
			}
			require.NotEmpty(t, latencies)
			total := uint64(0)
			for h, addTo := range i.histograms() {
				if l, ok := latencies[h]; ok || h != "write_hold" {
					require.True(t, ok, "%s %s", name, h)
					var s stats.Snapshot
					addTo(&s)
					require.Equal(t, l, s.Latency(), "%s %s", name, h)
					total += l.Count
					delete(latencies, h)
				}
			}
			require.Empty(t, latencies, name)
			require.GreaterOrEqual(t, total, uint64(4), "%s: two that waited for the lock, two that gave up", name)
			for range i.histograms() {
				break // a reader may stop
			}
		}
	})
}

func TestNobodyHasWaited(t *testing.T) {
	var rw locks.RWMutex
	for h := range rw.Histograms() {
		t.Error(h)
	}
	var m locks.SpinMutex
	for h := range m.Histograms() {
		t.Error(h)
	}
	var k locks.Keyed[int]
	for _, addTo := range k.Histograms() {
		var s stats.Snapshot
		addTo(&s)
		require.Zero(t, s.Count())
	}
}

func TestStatsForPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := instrumented()
		for _, i := range all {
			i.wait()
		}
		const rw = "accounts: 1 reads, 3 writes, contention 50%; read wait p50 999µs p99 990ms max 1s, " +
			"write wait p50 999µs p99 990ms max 1s, write hold p50 0s p99 990ms max 1s; 0 readers inside, 0 waiting"
		require.Equal(t, rw, all["RWMutex"].stats().(locks.RWStats).String())
		const spin = "accounts: 3 acquired, contention 66.7%, 0 after polling only; wait p50 999µs p99 990ms max 1s; 0 waiting"
		require.Equal(t, spin, all["SpinMutex"].stats().(locks.SpinStats).String())
		const keyed = "accounts: 1 reads, 2 writes, contention 66.7%; read wait p50 999µs p99 990ms max 1s, " +
			"write wait p50 999µs p99 990ms max 1s; 0 keys in use"
		require.Equal(t, keyed, all["Keyed"].stats().(locks.KeyedStats).String())
		require.Equal(t, "0 reads, 0 writes, contention 0%; read wait none, write wait none; 0 readers inside, 0 waiting", locks.RWStats{}.String())

		for name, i := range all {
			st := i.stats()
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Info("lock", "stats", st)
			require.Contains(t, log.String(), `"stats":{"name":"accounts"`, name)
			text, err := json.Marshal(st)
			require.NoError(t, err)
			require.Contains(t, string(text), `{"name":"accounts",`, name)
		}
	})
}
