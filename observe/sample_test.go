package observe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const jobKind = "poundlock_observe_test_job"

func at(seconds float64) time.Time { return t0.Add(time.Duration(seconds * float64(time.Second))) }

func point(t *testing.T, s *observe.Sample, name, key string) observe.Point {
	t.Helper()
	for _, p := range s.Points(jobKind, name, key) {
		return *p
	}
	t.Fatalf("no %s of %s", key, name)
	return observe.Point{}
}

func TestRatesAreBetweenSamples(t *testing.T) {
	var r observe.Registry
	j := &job{stats: jobStats{Done: 1000, Queued: 7, Dropped: reasons{Full: 5}}}
	add(t, &r, "a", j)
	sampler := observe.Sampler{Registry: &r}
	s := sampler.Sample(t.Context(), at(0))
	require.Zero(t, s.Elapsed)
	require.Zero(t, point(t, s, "a", "done").Rate, "what was before is not of now")
	require.EqualValues(t, 1000, point(t, s, "a", "done").Number)
	j.stats.Done, j.stats.Dropped.Full, j.stats.Queued = 1500, 6, 9
	s = sampler.Sample(t.Context(), at(2))
	require.Equal(t, 2*time.Second, s.Elapsed)
	require.EqualValues(t, 250, point(t, s, "a", "done").Rate)
	require.EqualValues(t, 0.5, point(t, s, "a", "dropped/full").Rate)
	require.Zero(t, point(t, s, "a", "dropped/closed").Rate)
	require.Zero(t, point(t, s, "a", "queued").Rate, "a gauge has none")
	j.stats.Done = 10
	require.Zero(t, point(t, sampler.Sample(t.Context(), at(3)), "a", "done").Rate, "after a restart")
	j.stats.Done = 20
	require.EqualValues(t, 10, point(t, sampler.Sample(t.Context(), at(4)), "a", "done").Rate)
	require.Zero(t, point(t, sampler.Sample(t.Context(), at(4)), "a", "done").Rate, "no time passed")
}

// After many slow and then many fast ones the quantile is that of the fast ones.
func TestTheWindowForgets(t *testing.T) {
	theWindowForgets(t, 10*time.Second)
	theWindowForgets(t, 0) // the same
}

func theWindowForgets(t *testing.T, window time.Duration) {
	var r observe.Registry
	j := new(job)
	j.wait.Record(time.Hour)
	add(t, &r, "a", j)
	sampler := observe.Sampler{Registry: &r, Window: window}
	require.Zero(t, *point(t, sampler.Sample(t.Context(), at(0)), "a", "wait").Window, "before the first sample")
	for range 1000 {
		j.wait.Record(time.Second)
	}
	l := point(t, sampler.Sample(t.Context(), at(1)), "a", "wait").Window
	require.EqualValues(t, 1000, l.Count)
	require.InEpsilon(t, time.Second, l.P99, 0.04)
	require.Less(t, l.Max, time.Hour)
	slow := 0
	for i := 2; i <= 20; i++ {
		for range 100 {
			j.wait.Record(time.Millisecond)
		}
		l := point(t, sampler.Sample(t.Context(), at(float64(i))), "a", "wait").Window
		if l.P99 > time.Millisecond*2 {
			slow = i
		}
		require.LessOrEqual(t, l.Count, uint64(1000+1000))
	}
	require.GreaterOrEqual(t, slow, 5)
	require.LessOrEqual(t, slow, 11, "the window is no longer than it says")
}

// What an instrument counted before it was made anew is not of the window.
func TestADistributionThatStartsAgain(t *testing.T) {
	var r observe.Registry
	add(t, &r, "other", new(job)) // so that the kind stays
	old := new(job)
	for range 1000 {
		old.wait.Record(time.Second)
	}
	remove := add(t, &r, "a", old)
	sampler := observe.Sampler{Registry: &r}
	sampler.Sample(t.Context(), at(0))
	remove()
	fresh := new(job)
	for range 10 {
		fresh.wait.Record(time.Second)
	}
	add(t, &r, "a", fresh)
	require.EqualValues(t, 10, point(t, sampler.Sample(t.Context(), at(1)), "a", "wait").Window.Count)
}

// What an instrument counted while it was away is not of the last second.
func TestAnInstrumentThatComesBack(t *testing.T) {
	var r observe.Registry
	add(t, &r, "other", new(job))
	j := &job{stats: jobStats{Done: 5}}
	remove := add(t, &r, "a", j)
	sampler := observe.Sampler{Registry: &r}
	sampler.Sample(t.Context(), at(0))
	remove()
	sampler.Sample(t.Context(), at(1))
	j.stats.Done = 1000
	add(t, &r, "a", j)
	require.Zero(t, point(t, sampler.Sample(t.Context(), at(2)), "a", "done").Rate)
}

func TestSamplerFollowsWhatComesAndGoes(t *testing.T) {
	var r observe.Registry
	sampler := observe.Sampler{Registry: &r}
	sampler.Sample(t.Context(), at(0))
	j := &job{stats: jobStats{Done: 5}}
	j.wait.Record(time.Second)
	remove := add(t, &r, "a", j)
	s := sampler.Sample(t.Context(), at(1))
	require.Zero(t, point(t, s, "a", "done").Rate)
	require.EqualValues(t, 1, point(t, s, "a", "wait").Window.Count, "it came since the last sample")
	remove()
	s = sampler.Sample(t.Context(), at(2))
	require.Len(t, s.Instruments, 1)
	add(t, &r, "a", &job{stats: jobStats{Done: 3}})
	s = sampler.Sample(t.Context(), at(3))
	require.Zero(t, point(t, s, "a", "done").Rate, "another of the same name")
	require.Zero(t, point(t, s, "a", "wait").Window.Count)

	add(t, &r, "b", &job{does: func() { panic("ouch") }})
	s = sampler.Sample(t.Context(), at(4))
	require.ErrorIs(t, s.Instruments[1].Err, observe.ErrPanic)
	require.Nil(t, s.Instruments[1].Point("done"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Empty(t, sampler.Sample(ctx, at(5)).Instruments)
}

func TestRulesOverSamples(t *testing.T) {
	var r observe.Registry
	j := &job{stats: jobStats{Queued: 5}}
	add(t, &r, "a", j)
	add(t, &r, "b", new(job))
	add(t, &r, "process", new(observe.Runtime))
	sampler := observe.Sampler{Registry: &r}
	sampler.Sample(t.Context(), at(0))
	for range 100 {
		j.wait.Record(80 * time.Millisecond)
	}
	j.stats.Done = 500
	s := sampler.Sample(t.Context(), at(1))
	for what, c := range map[string]struct {
		when func(*observe.Sample) string
		want string
	}{
		"p99":               {observe.P99Above(jobKind, "", "wait", 50*time.Millisecond), jobKind + " a: wait p99 80ms of 100"},
		"p99 of another":    {observe.P99Above(jobKind, "b", "wait", 50*time.Millisecond), ""},
		"p99 below":         {observe.P99Above(jobKind, "", "wait", 90*time.Millisecond), ""},
		"p99 of a counter":  {observe.P99Above(jobKind, "", "done", 0), ""},
		"rate":              {observe.RateAbove(jobKind, "a", "done", 499), jobKind + " a: done 500/s"},
		"rate below":        {observe.RateAbove(jobKind, "a", "done", 500), ""},
		"value":             {observe.ValueAbove(jobKind, "", "queued", 4), jobKind + " a: queued 5"},
		"value below":       {observe.ValueAbove(jobKind, "", "queued", 5), ""},
		"several":           {observe.ValueAbove(jobKind, "", "queued", -1), jobKind + " a: queued 5; " + jobKind + " b: queued 0"},
		"no such kind":      {observe.ValueAbove("x", "", "queued", -1), ""},
		"no such key":       {observe.ValueAbove(jobKind, "", "queue", -1), ""},
		"nearly a reason":   {observe.ValueAbove(jobKind, "", "dropped", -1), ""},
		"GC":                {observe.GCShareAbove(1), ""},
		"leaks, none found": {observe.LeaksFound(new(observe.LeakWatch)), ""},
	} {
		require.Equal(t, c.want, c.when(s), what)
	}
}
