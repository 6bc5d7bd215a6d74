package observe_test

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

var garbage []byte

func TestRuntime(t *testing.T) {
	var rt observe.Runtime
	before := rt.Stats()
	for range 100 {
		garbage = make([]byte, 1<<20)
	}
	runtime.GC()
	after := rt.Stats()
	require.Positive(t, after.Goroutines)
	require.Equal(t, runtime.GOMAXPROCS(0), after.MaxProcs)
	require.Positive(t, after.Threads)
	require.Positive(t, after.HeapLiveBytes)
	require.Greater(t, after.MappedBytes, after.HeapLiveBytes)
	require.Equal(t, 100, after.GOGC)
	require.GreaterOrEqual(t, after.AllocatedBytes-before.AllocatedBytes, uint64(100<<20))
	require.Greater(t, after.GCForced, before.GCForced)
	require.Greater(t, after.GCPause.Count, before.GCPause.Count)
	require.NotZero(t, after.SchedWait.Count)
	w := after.Since(before, time.Second)
	require.GreaterOrEqual(t, w.AllocatedPerSecond, 100e6)
	require.True(t, w.GCShare >= 0 && w.GCShare <= 1)
	require.Zero(t, before.Since(after, time.Second).AllocatedPerSecond, "the wrong way round")
	require.Zero(t, after.Since(after, 0))
}

// A metric that this version of Go does not have would silently read as 0.
func TestRuntimeMetricsExist(t *testing.T) {
	for _, name := range observe.RuntimeMetrics {
		require.True(t, slices.ContainsFunc(metrics.All(), func(d metrics.Description) bool { return d.Name == name }), name)
	}
}

func TestRuntimeIsASource(t *testing.T) {
	var r observe.Registry
	add(t, &r, "process", new(observe.Runtime))
	out := text(t, &r)
	checkText(t, out)
	for _, want := range []string{
		"poundlock_runtime_goroutines{name=\"process\"} ",
		"# TYPE poundlock_runtime_gc_cpu_time_seconds_total counter\n",
		"# TYPE poundlock_runtime_sched_wait_seconds histogram\n",
		"# TYPE poundlock_runtime_allocated_bytes_total counter\n",
		"# TYPE poundlock_runtime_heap_live_bytes gauge\n",
	} {
		require.Contains(t, out, want)
	}
}

func TestRuntimeIsSafeForConcurrentUse(t *testing.T) {
	var rt observe.Runtime
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var s observe.Snapshot
			for range 50 {
				last := rt.Stats().SchedWait.Count
				for _, addTo := range rt.Histograms() {
					addTo(&s)
				}
				if now := rt.Stats().SchedWait.Count; now < last {
					t.Errorf("%d after %d", now, last)
				}
			}
		})
	}
	wg.Wait()
}

// The runtime says in which cycle it last held the collector back, 0 for never, and
// counts the cycle that is going on.
func TestHeldBack(t *testing.T) {
	for what, c := range map[string]struct {
		enabled, cycles uint64
		want            bool
	}{
		"never, before the first": {0, 0, false},
		"never, in the first":     {0, 1, false},
		"never":                   {0, 100, false},
		"in the one that goes on": {101, 100, true},
		"in the last":             {100, 100, true},
		"in the one before":       {99, 100, true},
		"earlier":                 {98, 100, false},
		"long ago":                {1, 100, false},
		"in the first":            {1, 0, true},
	} {
		require.Equal(t, c.want, observe.HeldBack(c.enabled, c.cycles), what)
	}
}

func TestMiddle(t *testing.T) {
	inf := math.Inf(1)
	require.Equal(t, 3*time.Second, observe.Middle(2, 4))
	require.Equal(t, 2*time.Second, observe.Middle(2, inf))
	require.Equal(t, 2*time.Second, observe.Middle(-inf, 2))
	require.Zero(t, observe.Middle(-inf, 0))
	require.Zero(t, observe.Middle(-inf, inf+inf)-observe.Middle(-inf, inf))
}

func TestContainerMemory(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for what, c := range map[string]struct {
		fs   fstest.MapFS
		want int64
	}{
		"not Linux":     {fstest.MapFS{}, 0},
		"v2":            {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("1048576\n")}, 1 << 20},
		"v2 none":       {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("max\n")}, 0},
		"v2 least":      {fstest.MapFS{"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/b/memory.max": file("900"), "sys/fs/cgroup/a/memory.max": file("700"), "sys/fs/cgroup/memory.max": file("max")}, 700},
		"v2 host path":  {fstest.MapFS{"proc/self/cgroup": file("0::/not/seen/here\n"), "sys/fs/cgroup/memory.max": file("800")}, 800},
		"v2 up and out": {fstest.MapFS{"proc/self/cgroup": file("0::/../x\n"), "sys/fs/cgroup/x/memory.max": file("600")}, 600},
		"v1":            {fstest.MapFS{"proc/self/cgroup": file("5:cpu:/a\n4:memory:/a\n"), "sys/fs/cgroup/memory/a/memory.limit_in_bytes": file("500\n")}, 500},
		"v1 none":       {fstest.MapFS{"proc/self/cgroup": file("4:memory:/\n"), "sys/fs/cgroup/memory/memory.limit_in_bytes": file("9223372036854771712\n")}, 0},
		"nonsense":      {fstest.MapFS{"proc/self/cgroup": file("what\n0::/\n"), "sys/fs/cgroup/memory.max": file("-1")}, 0},
	} {
		require.Equal(t, c.want, observe.ContainerMemoryOf(c.fs), what)
	}
	require.GreaterOrEqual(t, observe.ContainerMemory(), int64(0))
}

func TestSettingsAreAppliedAndRestored(t *testing.T) {
	percent := debug.SetGCPercent(120)
	limit := debug.SetMemoryLimit(1 << 40)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	now := func() observe.RuntimeSettings {
		var rt observe.Runtime
		s := rt.Stats()
		return observe.RuntimeSettings{GOGC: s.GOGC, MemoryLimit: s.LimitBytes}
	}
	was := now()
	require.Equal(t, observe.RuntimeSettings{GOGC: 120, MemoryLimit: 1 << 40}, was)
	for what, c := range map[string]struct{ set, want observe.RuntimeSettings }{
		"nothing":  {observe.RuntimeSettings{}, was},
		"both":     {observe.RuntimeSettings{GOGC: 300, MemoryLimit: 1 << 41}, observe.RuntimeSettings{GOGC: 300, MemoryLimit: 1 << 41}},
		"off":      {observe.RuntimeSettings{GOGC: -1, MemoryLimit: -1}, observe.RuntimeSettings{GOGC: -1}},
		"far off":  {observe.RuntimeSettings{GOGC: -100, MemoryLimit: -100}, observe.RuntimeSettings{GOGC: -1}},
		"GOGC":     {observe.RuntimeSettings{GOGC: 50}, observe.RuntimeSettings{GOGC: 50, MemoryLimit: 1 << 40}},
		"the cap":  {observe.RuntimeSettings{MemoryLimit: 1 << 42}, observe.RuntimeSettings{GOGC: 120, MemoryLimit: 1 << 42}},
		"one of 1": {observe.RuntimeSettings{GOGC: 1}, observe.RuntimeSettings{GOGC: 1, MemoryLimit: 1 << 40}},
	} {
		restore := c.set.Apply()
		require.Equal(t, c.want, now(), what)
		restore()
		require.Equal(t, was, now(), what)
	}
	outer := observe.RuntimeSettings{GOGC: 200}.Apply()
	outer()
	inner := observe.RuntimeSettings{GOGC: 300}.Apply()
	outer()
	require.Equal(t, 300, now().GOGC, "restoring twice does nothing")
	inner()
}
