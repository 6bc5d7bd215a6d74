package observe_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

// Each shape is drawn many times with noise: a leak is always seen, the others never
// more often than the test allows for.
func TestTrend(t *testing.T) {
	const points, series = 60, 500
	for what, c := range map[string]struct {
		at    func(i float64) float64
		noise float64
		most  float64 // share of series that may be taken for growth
		least float64
	}{
		"leak":             {func(i float64) float64 { return 1000 + 10*i }, 50, 1, 1},
		"slow leak":        {func(i float64) float64 { return 1000 + 3*i }, 20, 1, 0.99},
		"stair":            {func(i float64) float64 { return 1000 + 100*math.Floor(i/6) }, 20, 1, 1},
		"exponential":      {func(i float64) float64 { return 1000 * math.Pow(1.03, i) }, 20, 1, 1},
		"leak in a saw":    {func(i float64) float64 { return 1000 + 20*i + 100*math.Mod(i, 5) }, 10, 1, 1},
		"flat":             {func(float64) float64 { return 1000 }, 50, 0.004, 0},
		"constant":         {func(float64) float64 { return 1000 }, 0, 0, 0},
		"saw":              {func(i float64) float64 { return 1000 + 50*math.Mod(i, 10) }, 20, 0.004, 0},
		"long saw":         {func(i float64) float64 { return 1000 + 50*math.Mod(i, 30) }, 20, 0.004, 0},
		"step":             {func(i float64) float64 { return 1000 + 500*math.Floor(i/30) }, 20, 0.004, 0},
		"late step":        {func(i float64) float64 { return 1000 + 500*math.Floor(i/50) }, 20, 0.004, 0},
		"warm-up":          {func(i float64) float64 { return 2000 * (1 - math.Exp(-i/5)) }, 20, 0.004, 0},
		"fall":             {func(i float64) float64 { return 5000 - 10*i }, 20, 0, 0},
		"one outlier":      {func(i float64) float64 { return 1000 + 1e6*math.Trunc(i/59) }, 20, 0.004, 0},
		"growth and stand": {func(i float64) float64 { return 1000 + 50*min(i, 30) }, 20, 0.004, 0},
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		found := 0
		for range series {
			tr := observe.Trend{Points: points}
			for i := range points {
				if i == points-1 {
					_, _, early := tr.Growth()
					require.False(t, early, "before all points are there")
				}
				tr.Add(c.at(float64(i)) + rng.NormFloat64()*c.noise)
			}
			if _, _, is := tr.Growth(); is {
				found++
			}
		}
		share := float64(found) / series
		require.GreaterOrEqual(t, share, c.least, what)
		require.LessOrEqual(t, share, c.most, what)
	}
}

func TestTrendForgetsTheOldest(t *testing.T) {
	tr := observe.Trend{Points: 1} // 12 at least
	for range 100 {
		tr.Add(5)
	}
	for i := range 11 {
		tr.Add(float64(10 + i))
	}
	tr.Add(21)
	from, to, is := tr.Growth()
	require.True(t, is)
	require.Equal(t, 11.0, from)
	require.Equal(t, 20.0, to)
	tr.Reset()
	_, _, is = tr.Growth()
	require.False(t, is)
}

func leakHere(done chan struct{}) { go func() { <-done }() }

func TestLeakWatchNamesTheSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w observe.LeakWatch
		done := make(chan struct{})
		now := time.Unix(0, 0)
		var leaks []observe.Leak
		points := 0
		for len(leaks) == 0 && points < 100 {
			for range 4 {
				leakHere(done)
			}
			leaks = w.Observe(observe.RuntimeStats{Goroutines: runtime.NumGoroutine()}, now)
			require.Empty(t, w.Observe(observe.RuntimeStats{Goroutines: 1}, now.Add(time.Second)), "too early for a point")
			now = now.Add(10 * time.Second)
			points++
		}
		close(done)
		require.Equal(t, 60, points)
		require.Len(t, leaks, 1)
		l := leaks[0]
		require.Equal(t, "goroutines", l.What)
		require.Equal(t, 590*time.Second, l.Over)
		require.Contains(t, l.Sites[0].Where, "observe_test.leakHere (trend_test.go:")
		require.EqualValues(t, 59*4, l.Sites[0].Grown)
		require.Regexp(t, `^goroutines grew from \d+ to \d+ in 9m50s: github.com/.*leakHere \(trend_test.go:\d+\) \+236`, l.String())
	})
}

var held [][]byte

func TestLeakWatchOfMemory(t *testing.T) {
	w := observe.LeakWatch{Points: 12, Every: time.Second}
	now := time.Unix(0, 0)
	s := observe.RuntimeStats{HeapLiveBytes: 100 << 20, MappedBytes: 200 << 20}
	var leaks []observe.Leak
	for i := range 12 {
		held = append(held, make([]byte, 2<<20))
		if i == 11 { // the runtime's profile is that of two collections ago
			runtime.GC()
			runtime.GC()
		}
		s.HeapLiveBytes += 8 << 20
		s.MappedBytes += 20 << 20
		s.GCCycles++
		leaks = w.Observe(s, now)
		require.Equal(t, i == 11, len(leaks) == 2)
		now = now.Add(time.Second)
	}
	held = nil
	require.Equal(t, "heap", leaks[0].What)
	require.Equal(t, "memory", leaks[1].What)
	require.Regexp(t, `heap grew from 11\d MiB to 1\d\d MiB in 11s`, leaks[0].String())
	if raceEnabled {
		return // allocates for itself
	}
	require.Contains(t, leaks[0].String(), "TestLeakWatchOfMemory")
}

// Growth that nobody has to hear of, and heaps that were not collected meanwhile.
func TestLeakWatchIsSilent(t *testing.T) {
	for what, step := range map[string]func(*observe.RuntimeStats){
		"few goroutines":   func(s *observe.RuntimeStats) { s.Goroutines += 2 },
		"few percent":      func(s *observe.RuntimeStats) { s.HeapLiveBytes += 2 << 20; s.MappedBytes += 2 << 20; s.GCCycles++ },
		"no collection":    func(s *observe.RuntimeStats) { s.HeapLiveBytes += 200 << 20; s.MappedBytes += 200 << 20 },
		"nothing at all":   func(*observe.RuntimeStats) {},
		"a falling number": func(s *observe.RuntimeStats) { s.Goroutines -= 100 },
		"a small program":  func(s *observe.RuntimeStats) { s.Goroutines = max(1, s.Goroutines%10_000+1) % 80 },
	} {
		var w observe.LeakWatch
		s := observe.RuntimeStats{Goroutines: 10_000, HeapLiveBytes: 1 << 30, MappedBytes: 2 << 30}
		now := time.Unix(0, 0)
		for range 200 {
			step(&s)
			require.Empty(t, w.Observe(s, now), what)
			now = now.Add(10 * time.Second)
		}
	}
}

func TestGrownSites(t *testing.T) {
	before := map[string]int64{"stays": 5, "shrinks": 5, "goes": 5, "grows": 5}
	after := map[string]int64{"stays": 5, "shrinks": 4, "grows": 8}
	require.Equal(t, []observe.Site{{"grows", 3}}, observe.Grown(before, after))
	maps.Copy(after, map[string]int64{"comes": 1, "b": 2, "a": 2, "most": 100})
	want := []observe.Site{{"most", 100}, {"grows", 3}, {"a", 2}, {"b", 2}, {"comes", 1}}
	require.Equal(t, want, observe.Grown(before, after), "the largest first")
	after["a sixth"] = 1
	want[4].Where = "a sixth"
	require.Equal(t, want, observe.Grown(before, after), "no more than five")
	require.Empty(t, observe.Grown(before, nil))
	require.Len(t, observe.Grown(nil, after), 5)
}

func TestCreatedBy(t *testing.T) {
	got := observe.CreatedBy([]byte(strings.TrimSpace(`
goroutine 1 [running]:
main.main()
	/src/main.go:5 +0x1d

goroutine 7 [select]:
main.(*S).serve(0xc000)
	/src/s.go:9 +0x1d
created by main.start in goroutine 1
	/src/s.go:4 +0x2a

goroutine 8 [select]:
main.(*S).serve(0xc000)
	/src/s.go:9 +0x1d
created by main.start in goroutine 7
	/src/s.go:4 +0x2a

goroutine 9 [select]:
x()
created by cut off`)))
	require.Equal(t, map[string]int64{"main.start (s.go:4)": 2}, got)
	require.NotEmpty(t, observe.GoroutineSites())
}
