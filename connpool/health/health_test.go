package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/connpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func codes(r Report) []string {
	var cs []string
	for _, f := range r.Findings {
		cs = append(cs, f.Code)
	}
	return cs
}

func TestNothingToFindIsAHundred(t *testing.T) {
	m := NewMonitor(Config{})
	r := m.Observe(connpool.Stats{}, t0)
	require.Equal(t, Report{Score: 100}, r, "zeros divide nothing")
	r = m.Observe(connpool.Stats{}, t0)
	require.Equal(t, 100, r.Score, "no time passed")
	r = m.Observe(connpool.Stats{Acquires: 100, Hits: 90, Misses: 10, Dials: 10}, t0.Add(10*time.Second))
	require.Equal(t, 100, r.Score)
	require.Equal(t, 10.0, r.PerSecond)
	require.Equal(t, 0.9, r.HitRate)
}

// What happened long ago must not colour the present.
func TestScoreIsOfTheWindow(t *testing.T) {
	m := NewMonitor(Config{})
	s := connpool.Stats{Acquires: 1000, Timeouts: 900, Dials: 50, DialErrors: 50, Leaked: 3, Panics: 1}
	require.Equal(t, 100, m.Observe(s, t0).Score, "the first look has no window")
	s.Acquires += 1000
	require.Equal(t, 100, m.Observe(s, t0.Add(time.Second)).Score)
	s.Timeouts += 500
	s.Acquires += 500
	r := m.Observe(s, t0.Add(2*time.Second))
	require.Equal(t, []string{"failed-acquires"}, codes(r))
	require.Equal(t, 0.5, r.FailRate)
	require.Equal(t, 50, r.Score)
	require.Equal(t, Critical, r.Findings[0].Severity)
	require.Equal(t, 100, m.Observe(s, t0.Add(3*time.Second)).Score, "over and done")
}

func TestSlownessOfThePastIsNotHeldAgainstThePresent(t *testing.T) {
	m := NewMonitor(Config{})
	s := connpool.Stats{Acquires: 1000, MaxOpen: 10}
	m.Observe(s, t0)
	s.Acquires, s.Waits, s.Dials = 2000, 900, 10
	s.WaitTime = connpool.Latency{Count: 100, Mean: time.Second, P99: 9 * time.Second}
	s.DialTime = connpool.Latency{Count: 10, Mean: 3 * time.Second}
	require.Equal(t, []string{"slow-waits", "slow-dials"}, codes(m.Observe(s, t0.Add(time.Second))))
	s.Acquires, s.Waits, s.Dials = 3000, 1800, 20
	s.WaitTime = connpool.Latency{Count: 200, Mean: time.Second / 2, P99: 8 * time.Second} // no time at all in this window
	s.DialTime = connpool.Latency{Count: 20, Mean: 1600 * time.Millisecond}                // 0.2 s each
	require.Empty(t, codes(m.Observe(s, t0.Add(2*time.Second))))
}

func TestEachFinding(t *testing.T) {
	base := connpool.Stats{Acquires: 1000, MaxOpen: 10}
	for code, change := range map[string]func(*connpool.Stats){
		"breaker":         func(s *connpool.Stats) { s.Breaker = connpool.BreakerOpen },
		"dial-errors":     func(s *connpool.Stats) { s.Dials, s.DialErrors = 10, 1 },
		"slow-dials":      func(s *connpool.Stats) { s.Dials, s.DialTime = 10, connpool.Latency{Count: 10, Mean: 2 * time.Second} },
		"failed-acquires": func(s *connpool.Stats) { s.Rejected = 1 },
		"slow-waits": func(s *connpool.Stats) {
			s.Waits, s.WaitTime = 500, connpool.Latency{Count: 64, Mean: 20 * time.Millisecond, P99: time.Second}
		},
		"exhausted":      func(s *connpool.Stats) { s.InUse, s.Utilization, s.Waiting = 10, 1, 3 },
		"check-failures": func(s *connpool.Stats) { s.CheckFailures = 2 },
		"leaks":          func(s *connpool.Stats) { s.Leaked = 1 },
		"churn":          func(s *connpool.Stats) { s.Closed = 800 },
		"panics":         func(s *connpool.Stats) { s.Panics = 1 },
	} {
		m := NewMonitor(Config{})
		m.Observe(base, t0)
		s := base
		s.Acquires += 1000
		change(&s)
		r := m.Observe(s, t0.Add(time.Second))
		require.Equal(t, []string{code}, codes(r))
		require.Equal(t, 100-r.Findings[0].Cost, r.Score)
		require.NotEmpty(t, r.Findings[0].Advice)
		require.Contains(t, r.String(), r.Findings[0].What)
		_, err := json.Marshal(r)
		require.NoError(t, err)
	}
}

// Keys that take the slots from each other are a matter of MaxTotal.
func TestChurnNamesTheKeyLimit(t *testing.T) {
	look := func(change func(*connpool.Stats)) []Finding {
		m := NewMonitor(Config{})
		m.Observe(connpool.Stats{Acquires: 1000}, t0)
		s := connpool.Stats{Acquires: 2000}
		change(&s)
		return m.Observe(s, t0.Add(time.Second)).Findings
	}
	f := look(func(s *connpool.Stats) { s.Dials, s.Closed, s.ClosedBy.KeyLimit = 120, 100, 90 })
	require.Len(t, f, 1)
	require.Contains(t, f[0].What, "120 connections were dialed and 100 closed in 1000 loans (0.12 dials per loan), 90 of them because another key")
	require.Contains(t, f[0].Advice, "MaxTotal")
	f = look(func(s *connpool.Stats) { s.Dials, s.Closed, s.ClosedBy.KeyLimit = 300, 300, 10 })
	require.Len(t, f, 1)
	require.NotContains(t, f[0].Advice, "MaxTotal")
	require.Empty(t, look(func(s *connpool.Stats) { s.Dials, s.Closed, s.ClosedBy.KeyLimit = 30, 30, 30 }))
}

func TestScoreIsBoundedAndFinite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMonitor(Config{})
		at := t0
		for range 5 {
			u := func(name string) uint64 { return rapid.Uint64().Draw(t, name) }
			s := connpool.Stats{
				Acquires: u("acquires"), Misses: u("misses"), Waits: u("waited"), Timeouts: u("timeouts"),
				Rejected: u("rejected"), Dials: u("dials"), DialErrors: u("dialErrors"), Closed: u("closed"),
				CheckFailures: u("checks"), Leaked: u("leaked"), Panics: u("panics"),
				Utilization: rapid.Float64().Draw(t, "usage"), Waiting: rapid.Int().Draw(t, "waiting"),
			}
			at = at.Add(time.Duration(rapid.Int64Range(-5, 5).Draw(t, "step")) * time.Second)
			r := m.Observe(s, at)
			if r.Score < 0 || r.Score > 100 || !(r.HitRate >= 0 && r.HitRate <= 1) || !(r.WaitRate >= 0 && r.WaitRate <= 1) || r.FailRate < 0 {
				t.Fatalf("%+v", r)
			}
			if _, err := json.Marshal(r); err != nil { // NaN and Inf fail here
				t.Fatal(err)
			}
		}
	})
}

func TestWithAPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := connpool.New(connpool.Config[int]{
			Name:    "db",
			Dial:    func(context.Context) (int, error) { return 0, errors.New("down") },
			Close:   func(int) error { return nil },
			Breaker: connpool.Breaker{Failures: 2},
		})
		require.NoError(t, err)
		m := NewMonitor(Config{})
		m.Observe(p.Stats(), time.Now())
		for range 5 {
			_, err := p.Acquire(t.Context())
			require.Error(t, err)
		}
		time.Sleep(time.Second)
		r := m.Observe(p.Stats(), time.Now())
		require.Equal(t, []string{"breaker", "dial-errors"}, codes(r))
		require.Zero(t, r.Score)
		require.NoError(t, p.Close())
	})
}

func TestRecorder(t *testing.T) {
	r := NewRecorder(RecorderConfig{Threshold: 10 * time.Millisecond, MaxNames: 2})
	require.Empty(t, r.Calls())
	require.False(t, r.Record("get", 9*time.Millisecond, nil, t0))
	require.True(t, r.Record("get", 10*time.Millisecond, nil, t0.Add(2)))
	require.True(t, r.Record("get", 30*time.Millisecond, errors.New("x"), t0.Add(1)))
	require.Equal(t, []Calls{{
		Name: "get", Count: 2, Errors: 1, Total: 40 * time.Millisecond, Min: 10 * time.Millisecond,
		Mean: 20 * time.Millisecond, Max: 30 * time.Millisecond, Last: t0.Add(2),
	}}, r.Calls())
	for i := range 1000 {
		r.Record(fmt.Sprint(i), time.Second, nil, t0)
	}
	all := r.Calls()
	require.Len(t, all, 3, "bounded")
	require.Equal(t, Other, all[0].Name)
	require.EqualValues(t, 999, all[0].Count)
	r.Clear()
	require.Empty(t, r.Calls())

	all2 := NewRecorder(RecorderConfig{MaxNames: -1})
	require.Error(t, all2.Time("x", func() error { return errors.New("y") }))
	all2.Record("z", -5, nil, t0)
	require.EqualValues(t, 2, all2.Calls()[0].Count)
	require.EqualValues(t, 1, all2.Calls()[0].Errors)
	require.Zero(t, all2.Calls()[0].Min)
}

func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	r := NewRecorder(RecorderConfig{MaxNames: 8})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				r.Record(fmt.Sprint((g+i)%12), time.Duration(i), nil, t0)
				r.Calls()
			}
		})
	}
	wg.Wait()
	var n uint64
	for _, c := range r.Calls() {
		n += c.Count
	}
	require.EqualValues(t, 4000, n)
}
