package describe

import (
	"bytes"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/stats"
)

type mode int

func (mode) String() string { return "biased" }

type reasons struct {
	Full uint64 `json:"full"`
	Idle uint64 `json:"idle"`
}

type sample struct {
	Name     string        `json:"name,omitempty"`
	Accepted uint64        `json:"accepted"`
	Dropped  uint64        `json:"dropped"`
	Wait     stats.Latency `json:"wait"`
	WaitTime time.Duration `json:"wait_time_ns"`
	Discards reasons       `json:"discards"`
	Mode     mode          `json:"mode"`
	Last     time.Time     `json:"last"`
	Secret   string        `json:"-"`
	Untagged int
	reasons
	hidden int
}

// LogValue is there because every Stats has one: what calls LogValue from it must
// not come back to it.
func (s sample) LogValue() slog.Value { return LogValue(s) }

func TestLogValue(t *testing.T) {
	s := sample{
		Name: "orders", Accepted: 7, Wait: stats.Latency{Count: 1, P99: time.Millisecond}, WaitTime: 2 * time.Second,
		Discards: reasons{Idle: 3}, Mode: 1, Last: time.Unix(0, 0).UTC(), Secret: "x", Untagged: 4, reasons: reasons{Full: 9}, hidden: 1,
	}
	var out bytes.Buffer
	drop := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey {
			return slog.Attr{}
		}
		return a
	}
	slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: drop})).Info("", "pool", s)
	require.Equal(t, "pool.name=orders pool.accepted=7 pool.wait.count=1 pool.wait.p99_ns=1ms pool.wait_time_ns=2s "+
		"pool.discards.idle=3 pool.mode=biased pool.last=1970-01-01T00:00:00.000Z pool.Untagged=4\n", out.String())
	require.Empty(t, LogValue(sample{}).Group())
}

func TestFigures(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 9_999: "9999", 10_000: "10.0k", 12_345: "12.3k", 99_949: "99.9k", 999_499: "999k", 999_500: "1.00M",
		4_560_000: "4.56M", 7_890_000_000: "7.89G", 1_000_000_000_000: "1.00T", math.MaxUint64: "18446744T",
	} {
		require.Equal(t, want, Count(n), "%d", n)
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 999: "999ns", 1_234: "1.23µs", 45_678_901: "45.7ms", -1_234_567: "-1.23ms", time.Hour + time.Second: "1h0m0s", math.MinInt64: "-2561111h6m40s",
	} {
		require.Equal(t, want, Duration(d), "%d", d)
	}
	require.Equal(t, "none", Latency(stats.Latency{}))
	require.Equal(t, "p50 1µs p99 2µs max 3µs", Latency(stats.Latency{Count: 1, P50: 1000, P99: 2000, Max: 3000}))
	require.Equal(t, "99.4%", Percent(0.994))
	require.Equal(t, "100%", Percent(1))
	require.Equal(t, "0%", Percent(0))
}
