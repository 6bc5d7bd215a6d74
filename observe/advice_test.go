package observe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

func TestAdvice(t *testing.T) {
	const gib = 1 << 30
	healthy := observe.RuntimeStats{
		GOGC: 100, HeapLiveBytes: gib / 4, HeapGoalBytes: gib / 2, MappedBytes: gib * 6 / 10, UnusedBytes: gib / 10,
		LimitBytes: gib * 9 / 10, ContainerBytes: gib,
	}
	calm := observe.RuntimeWindow{Elapsed: 10 * time.Second, GCShare: 0.02, AssistShare: 0.001}
	require.Empty(t, observe.Advise(healthy, calm))
	require.Empty(t, observe.Advise(observe.RuntimeStats{GOGC: 100}, observe.RuntimeWindow{}), "outside a container nothing is known")
	require.Empty(t, observe.Advise(observe.RuntimeStats{GOGC: 100, LimitBytes: gib}, observe.RuntimeWindow{}), "nor is a limit too high")

	type both struct {
		*observe.RuntimeStats
		*observe.RuntimeWindow
	}
	for what, c := range map[string]struct {
		change func(both)
		code   string
		what   string
		do     string
	}{
		"no limit":              {func(b both) { b.LimitBytes = 0 }, "no-limit", "1024 MiB", "GOMEMLIMIT=921MiB"},
		"limit above":           {func(b both) { b.LimitBytes = 2 * gib }, "limit-above-container", "2048 MiB", "GOMEMLIMIT=921MiB"},
		"limit at it":           {func(b both) { b.LimitBytes = gib * 97 / 100 }, "limit-above-container", "993 MiB", "GOMEMLIMIT=921MiB"},
		"near the limit":        {func(b both) { b.HeapLiveBytes = gib * 8 / 10 }, "near-limit", "819 MiB of the 921 MiB", "heap profile"},
		"limited":               {func(b both) { b.GCLimited = true }, "near-limit", "921 MiB", "more memory"},
		"near and busy":         {func(b both) { b.GCLimited = true; b.GCShare = 0.5 }, "near-limit", "921 MiB", "more memory"},
		"never":                 {func(b both) { b.GOGC, b.LimitBytes, b.ContainerBytes = -1, 0, 0 }, "collector-off", "never", "GOMEMLIMIT"},
		"busy with room":        {func(b both) { b.GCShare, b.HeapGoalBytes = 0.2, gib/10; b.AllocatedPerSecond = 5 << 20 }, "gc-share", "20 % of the CPU; 5.0 MiB/s", "from 100 to 200: GOMEMLIMIT guards"},
		"busy without room":     {func(b both) { b.GCShare = 0.2 }, "gc-share", "20 %", "raise GOMEMLIMIT"},
		"busy without a limit":  {func(b both) { b.GCShare, b.LimitBytes, b.ContainerBytes = 0.2, 0, 0 }, "gc-share", "20 %", "with GOMEMLIMIT as a guard"},
		"busy without GOGC":     {func(b both) { b.GCShare, b.GOGC = 0.2, -1 }, "gc-share", "20 %", "raise GOMEMLIMIT"},
		"assists":               {func(b both) { b.AssistShare = 0.08 }, "assists", "8 %", "objpool"},
		"unused":                {func(b both) { b.UnusedBytes, b.MappedBytes = 20*gib, 30*gib }, "unused-memory", "20 GiB of 30 GiB", "FreeOSMemory"},
		"forced now and then":   {func(b both) { b.ForcedPerSecond = 2 }, "forced-collections", "120 times a minute", "each call"},
		"forced for long":       {func(b both) { b.ForcedPerSecond, b.Elapsed = 0.05, time.Minute }, "forced-collections", "3 times a minute", "each call"},
		"a few KiB, but unused": {func(b both) { b.GCShare, b.AllocatedPerSecond = 0.11, 2048 }, "gc-share", "2 KiB/s", "GOMEMLIMIT"},
	} {
		s, w := healthy, calm
		c.change(both{&s, &w})
		got := observe.Advise(s, w)
		require.Len(t, got, 1, what)
		require.Equal(t, c.code, got[0].Code, what)
		require.Contains(t, got[0].What, c.what, what)
		require.Contains(t, got[0].Do, c.do, what)
	}
}
