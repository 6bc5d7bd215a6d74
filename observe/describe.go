package observe

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/poundlock/poundlock/internal/describe"
)

// String returns one readable line.
func (s RegistryStats) String() string {
	return fmt.Sprintf("%d sources, %d stuck; read %s times, %s panics, %s timeouts",
		s.Sources, s.Stuck, describe.Count(s.Reads), describe.Count(s.Panics), describe.Count(s.Timeouts))
}

// LogValue returns the fields that are not zero as a group, for log/slog.
func (s RegistryStats) LogValue() slog.Value { return describe.LogValue(s) }

// String returns one readable line.
func (s WatcherStats) String() string {
	line := fmt.Sprintf("%s samples, %s breaches, %s captured, %s captures failed",
		describe.Count(s.Samples), describe.Count(s.Breaches), describe.Count(s.Captures), describe.Count(s.CaptureFailures))
	if s.Dropped > 0 || s.Panics > 0 {
		line += fmt.Sprintf("; %s reports dropped, %s panics", describe.Count(s.Dropped), describe.Count(s.Panics))
	}
	if s.Capturing {
		line += "; a capture is being taken"
	}
	return line
}

// LogValue returns the fields that are not zero as a group, for log/slog.
func (s WatcherStats) LogValue() slog.Value { return describe.LogValue(s) }

// String returns three readable lines.
func (s RuntimeStats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d goroutines, %d of them runnable, on %d CPUs and %d threads; wait for a CPU %s\n",
		s.Goroutines, s.Runnable, s.MaxProcs, s.Threads, describe.Latency(s.SchedWait))
	fmt.Fprintf(&b, "%s live on the heap, goal %s; %s from the system, %s unused",
		mib(s.HeapLiveBytes), mib(s.HeapGoalBytes), mib(s.MappedBytes), mib(s.UnusedBytes))
	if s.LimitBytes > 0 {
		b.WriteString(", GOMEMLIMIT " + mib(s.LimitBytes))
	}
	if s.ContainerBytes > 0 {
		b.WriteString(", container " + mib(s.ContainerBytes))
	}
	fmt.Fprintf(&b, "\n%s collections, pause %s, GOGC %d", describe.Count(s.GCCycles), describe.Latency(s.GCPause), s.GOGC)
	if s.GCLimited {
		b.WriteString(", held back")
	}
	return b.String()
}

// LogValue returns the fields that are not zero as a group, for log/slog.
func (s RuntimeStats) LogValue() slog.Value { return describe.LogValue(s) }
