package observe_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

// What a log and a Println show of the package's own statistics.
func TestStatsAreReadable(t *testing.T) {
	wait := observe.Latency{Count: 3, P50: time.Millisecond, P99: 2 * time.Millisecond, Max: 3 * time.Millisecond}
	for _, c := range []struct {
		stats interface {
			fmt.Stringer
			slog.LogValuer
		}
		want, logged string
	}{
		{observe.RegistryStats{Sources: 3, Stuck: 1, Reads: 20_000, Panics: 2, Timeouts: 4}, "3 sources, 1 stuck; read 20.0k times, 2 panics, 4 timeouts", "s.reads=20000"},
		{observe.RegistryStats{}, "0 sources, 0 stuck; read 0 times, 0 panics, 0 timeouts", ""},
		{observe.WatcherStats{Samples: 7, Breaches: 2, Captures: 1, CaptureFailures: 3}, "7 samples, 2 breaches, 1 captured, 3 captures failed", "s.capture_failures=3"},
		{
			observe.WatcherStats{Dropped: 5, Capturing: true},
			"0 samples, 0 breaches, 0 captured, 0 captures failed; 5 reports dropped, 0 panics; a capture is being taken", "s.capturing=true",
		},
		{observe.WatcherStats{Panics: 6}, "0 samples, 0 breaches, 0 captured, 0 captures failed; 0 reports dropped, 6 panics", "s.panics=6"},
		{
			observe.RuntimeStats{Goroutines: 30, Runnable: 2, MaxProcs: 4, Threads: 9, HeapLiveBytes: 20 << 20, HeapGoalBytes: 40 << 20, MappedBytes: 60 << 20, UnusedBytes: 5 << 20, GCCycles: 8, GOGC: 100, GCPause: wait},
			"30 goroutines, 2 of them runnable, on 4 CPUs and 9 threads; wait for a CPU none\n" +
				"20 MiB live on the heap, goal 40 MiB; 60 MiB from the system, 5.0 MiB unused\n" +
				"8 collections, pause p50 1ms p99 2ms max 3ms, GOGC 100",
			"s.gc_pause.p99_ns=2ms",
		},
		{
			observe.RuntimeStats{GOGC: -1, LimitBytes: 1 << 30, ContainerBytes: 2 << 30, GCLimited: true, SchedWait: wait},
			"0 goroutines, 0 of them runnable, on 0 CPUs and 0 threads; wait for a CPU p50 1ms p99 2ms max 3ms\n" +
				"0 KiB live on the heap, goal 0 KiB; 0 KiB from the system, 0 KiB unused, GOMEMLIMIT 1024 MiB, container 2048 MiB\n" +
				"0 collections, pause none, GOGC -1, held back",
			"s.gc_limited=true",
		},
	} {
		require.Equal(t, c.want, c.stats.String())
		var b bytes.Buffer
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "s", c.stats)
		require.Contains(t, b.String(), c.logged)
		require.NotContains(t, b.String(), "=0", "what is zero is left out")
	}
}
