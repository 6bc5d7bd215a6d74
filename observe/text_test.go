package observe_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

var series = regexp.MustCompile(`^([a-z_][a-z0-9_]*)(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}) (\S+)$`)

// checkText fails where a text breaks the rules of the format: a family's lines
// stand together under one TYPE, no series comes twice, buckets are cumulative and
// end at the count.
func checkText(t testing.TB, text string) {
	t.Helper()
	family, typ := "", ""
	families, all := map[string]bool{}, map[string]bool{}
	bucket, inf := 0.0, 0.0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			f := strings.Fields(rest)
			require.Len(t, f, 2, line)
			family, typ = f[0], f[1]
			require.False(t, families[family], "%s comes twice", family)
			families[family] = true
			continue
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := series.FindStringSubmatch(line)
		require.NotNil(t, m, "%q", line)
		require.False(t, all[m[1]+m[2]], "%s comes twice", line)
		all[m[1]+m[2]] = true
		x, err := strconv.ParseFloat(m[3], 64)
		require.NoError(t, err, line)
		rest, ok := strings.CutPrefix(m[1], family)
		require.True(t, ok, "%s in family %s", line, family)
		switch {
		case typ == "histogram" && rest == "_bucket":
			require.GreaterOrEqual(t, x, bucket, line)
			if bucket = x; strings.Contains(m[2], `le="+Inf"`) {
				bucket, inf = 0, x
			}
		case typ == "histogram" && rest == "_count":
			require.Equal(t, inf, x, line)
		case typ == "counter":
			require.True(t, strings.HasSuffix(m[1], "_total"), line)
			require.GreaterOrEqual(t, x, 0.0)
		}
	}
}

func full(t testing.TB) *observe.Registry {
	r := &observe.Registry{Bounds: []time.Duration{time.Millisecond, 10 * time.Millisecond, time.Second}}
	j := &job{stats: jobStats{
		Name: "orders", Done: 12, Dropped: reasons{Full: 3}, Queued: 4, HeldTime: 2500 * time.Millisecond,
		Usage: 0.25, Paused: true, Bytes: 4096, Last: time.Unix(1700000000, 0),
	}}
	for _, d := range []time.Duration{0, 5 * time.Millisecond, 5 * time.Millisecond, 700 * time.Millisecond, time.Minute} {
		j.wait.Record(d)
	}
	add(t, r, "GET /orders/{id}", j)
	add(t, r, "empty", new(job))
	_, err := observe.AddFunc(r, "other", "x", func() (s struct {
		Took observe.Latency `json:"took" help:"A \\ and a \"quote\"."`
	},
	) {
		s.Took = observe.Latency{Count: 3, P50: time.Millisecond, P90: 2 * time.Millisecond, P99: 3 * time.Millisecond, P999: 4 * time.Millisecond}
		return s
	})
	require.NoError(t, err)
	return r
}

func TestText(t *testing.T) {
	out := text(t, full(t))
	checkText(t, out)
	const kind = "poundlock_observe_test_job_"
	for _, want := range []string{
		"# HELP " + kind + "done_total Jobs that ended.\n# TYPE " + kind + "done_total counter\n" +
			kind + "done_total{name=\"GET /orders/{id}\"} 12\n" + kind + "done_total{name=\"empty\"} 0\n",
		"# TYPE " + kind + "dropped_total counter\n" +
			kind + "dropped_total{name=\"GET /orders/{id}\",reason=\"full\"} 3\n" + kind + "dropped_total{name=\"GET /orders/{id}\",reason=\"closed\"} 0\n",
		kind + "held_time_seconds_total{name=\"GET /orders/{id}\"} 2.5\n",
		kind + "queued_bytes{name=\"GET /orders/{id}\"} 4096\n",
		kind + "usage_ratio{name=\"GET /orders/{id}\"} 0.25\n",
		kind + "paused{name=\"GET /orders/{id}\"} 1\n",
		kind + "last_timestamp_seconds{name=\"GET /orders/{id}\"} 1700000000\n" + kind + "last_timestamp_seconds{name=\"empty\"} 0\n",
		"# TYPE " + kind + "wait_seconds histogram\n",
		kind + "wait_seconds_bucket{name=\"GET /orders/{id}\",le=\"0.001\"} 1\n",
		kind + "wait_seconds_bucket{name=\"GET /orders/{id}\",le=\"0.01\"} 3\n",
		kind + "wait_seconds_bucket{name=\"GET /orders/{id}\",le=\"1\"} 4\n",
		kind + "wait_seconds_bucket{name=\"GET /orders/{id}\",le=\"+Inf\"} 5\n",
		kind + "wait_seconds_count{name=\"GET /orders/{id}\"} 5\n",
		kind + "wait_seconds_bucket{name=\"empty\",le=\"+Inf\"} 0\n",
		"# HELP other_took_seconds A \\\\ and a \"quote\".\n# TYPE other_took_seconds summary\nother_took_seconds{name=\"x\",quantile=\"0.5\"} 0.001\n",
		"other_took_seconds{name=\"x\",quantile=\"0.999\"} 0.004\nother_took_seconds_count{name=\"x\"} 3\n",
	} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "took_seconds_sum", "count times mean may go back")
}

func TestOpenMetrics(t *testing.T) {
	var b strings.Builder
	require.NoError(t, full(t).WriteOpenMetrics(t.Context(), &b))
	out := b.String()
	require.True(t, strings.HasSuffix(out, "\n# EOF\n"))
	const kind = "poundlock_observe_test_job_"
	for _, want := range []string{
		"# TYPE " + kind + "done counter\n" + kind + "done_total{",
		"# TYPE " + kind + "held_time_seconds counter\n# UNIT " + kind + "held_time_seconds seconds\n" + kind + "held_time_seconds_total{",
		"# UNIT " + kind + "queued_bytes bytes\n",
		"# UNIT " + kind + "last_timestamp_seconds seconds\n",
		`A \\ and a \"quote\".`,
	} {
		require.Contains(t, out, want)
	}
}

// The buffers of a text are used again: what a larger one left must not show.
func TestTextsDoNotMix(t *testing.T) {
	r := full(t)
	first := text(t, r)
	remove := add(t, r, "zz", new(job))
	add(t, r, "one more", new(tiny))
	text(t, r)
	remove()
	require.NotContains(t, text(t, r), "zz")
	require.Equal(t, strings.Count(first, "_job_"), strings.Count(text(t, r), "_job_"))
	checkText(t, text(t, r))
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 1e15: "1000000000000000", -3: "-3", 0.1: "0.1", 1e300: "1e+300", 2.5e-9: "2.5e-09",
		math.Inf(1): "+Inf", math.Inf(-1): "-Inf",
	} {
		var r observe.Registry
		_, err := observe.AddFunc(&r, "x", "x", func() struct{ A float64 } { return struct{ A float64 }{x} })
		require.NoError(t, err)
		require.Contains(t, text(t, &r), `x_a{name="x"} `+want+"\n")
	}
}

func TestBoundsOfText(t *testing.T) {
	for want, bounds := range map[int][]time.Duration{
		1 + len(observe.DefaultBounds()): nil,
		1:                                {},
		3:                                {time.Millisecond, time.Second},
	} {
		r := observe.Registry{Bounds: bounds}
		add(t, &r, "a", new(job))
		out := text(t, &r)
		require.Equal(t, want, strings.Count(out, "_job_wait_seconds_bucket{"))
		require.Contains(t, out, `le="+Inf"`)
	}
}

func TestBoundsAreFineEnough(t *testing.T) {
	bounds := observe.DefaultBounds()
	require.Equal(t, time.Microsecond, bounds[0])
	require.Equal(t, time.Minute, bounds[len(bounds)-1])
	for i := range len(bounds) - 1 {
		require.Less(t, bounds[i], bounds[i+1])
		if bounds[i] >= 10*time.Microsecond && bounds[i] < 15*time.Second {
			require.LessOrEqual(t, float64(bounds[i+1])/float64(bounds[i]), 1.67)
		}
	}
	var h observe.Histogram
	for range 1000 {
		h.Record(73 * time.Millisecond)
	}
	counts := observe.Cumulative(h.Snapshot(), bounds)
	for i, b := range bounds {
		switch {
		case b <= 70*time.Millisecond:
			require.Zero(t, counts[i], b)
		default:
			require.EqualValues(t, 1000, counts[i], b)
		}
	}
	require.Equal(t, []uint64{}, observe.Cumulative(h.Snapshot(), nil))
	require.Equal(t, []uint64{0, 0}, observe.Cumulative(new(observe.Snapshot), []time.Duration{1, 2}))
}
