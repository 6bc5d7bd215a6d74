package prometheus

import (
	"fmt"
	"iter"
	"math"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/lockfree"
	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/objpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
	"github.com/poundlock/poundlock/workerpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// jobs is a source.
type jobs struct {
	done uint64
	wait observe.Histogram
}

type jobsStats struct {
	Done    uint64 `json:"done" help:"Jobs that ended."`
	Queued  int    `json:"queued"`
	Dropped struct {
		Full, Closed uint64
	} `json:"dropped"`
	Wait observe.Latency `json:"wait"`
}

func (j *jobs) Stats() jobsStats { return jobsStats{Done: j.done, Wait: j.wait.Latency()} }

func (j *jobs) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
	return func(yield func(string, func(*observe.Snapshot)) bool) { yield("wait", j.wait.AddTo) }
}

func add[S any](t testing.TB, r *observe.Registry, name string, src observe.Source[S]) (remove func()) {
	t.Helper()
	remove, err := observe.Add(r, name, src)
	require.NoError(t, err)
	return remove
}

func gather(t *testing.T, c prometheus.Collector) map[string]*dto.MetricFamily {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(c))
	families, err := reg.Gather()
	require.NoError(t, err)
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

const prefix = "poundlock_prometheus_jobs_"

func TestCollect(t *testing.T) {
	var r observe.Registry
	j := &jobs{done: 7}
	for range 1000 {
		j.wait.Record(73 * time.Millisecond)
	}
	j.wait.Record(0)
	add(t, &r, "a", j)
	removeB := add(t, &r, "b", new(jobs))
	c := New(&r, Config{})
	all := gather(t, c)
	require.Equal(t, dto.MetricType_COUNTER, all[prefix+"done_total"].GetType())
	require.Equal(t, "Jobs that ended.", all[prefix+"done_total"].GetHelp())
	require.EqualValues(t, 7, all[prefix+"done_total"].Metric[0].Counter.GetValue())
	require.Equal(t, dto.MetricType_GAUGE, all[prefix+"queued"].GetType())
	require.Len(t, all[prefix+"dropped_total"].Metric, 4)
	h := all[prefix+"wait_seconds"].Metric[0].Histogram
	require.EqualValues(t, 1001, h.GetSampleCount())
	require.InEpsilon(t, 73, h.GetSampleSum(), 0.04)
	require.Len(t, h.Bucket, len(observe.DefaultBounds()))
	require.EqualValues(t, 1, h.GetZeroCount())
	require.Equal(t, []int64{1000}, h.PositiveDelta)
	require.EqualValues(t, index(0.073), h.PositiveSpan[0].GetOffset())
	empty := all[prefix+"wait_seconds"].Metric[1].Histogram
	require.Len(t, empty.PositiveSpan, 1, "an empty one is native, too")
	removeB()
	require.Len(t, gather(t, c)[prefix+"done_total"].Metric, 1)

	h = gather(t, New(&r, Config{NoNative: true, Bounds: []time.Duration{time.Second}}))[prefix+"wait_seconds"].Metric[0].Histogram
	require.Nil(t, h.Schema)
	require.Len(t, h.Bucket, 1)
	h = gather(t, New(&r, Config{Bounds: []time.Duration{}}))[prefix+"wait_seconds"].Metric[0].Histogram
	require.Empty(t, h.Bucket)
	require.Panics(t, func() { New(nil, Config{}) })
}

// Whatever is recorded, the native buckets hold all of it, where it belongs.
func TestNativeBucketsHoldEverything(t *testing.T) {
	var hist observe.Histogram
	want := map[int]int64{}
	for d := time.Duration(1); d < 10*time.Hour; d = d*21/20 + 1 {
		hist.Record(d)
	}
	var s observe.Snapshot
	hist.AddTo(&s)
	for middle, n := range s.Buckets() {
		want[index(middle.Seconds())] += int64(n)
	}
	var h dto.Histogram
	addNative(&h, &s)
	got := map[int]int64{}
	at, count, i := 0, int64(0), 0
	for n, span := range h.PositiveSpan {
		at += int(span.GetOffset())
		if n > 0 {
			require.Positive(t, span.GetOffset(), "adjacent buckets are one span")
		}
		for range span.GetLength() {
			count += h.PositiveDelta[i]
			got[at] = count
			at++
			i++
		}
	}
	require.Len(t, h.PositiveDelta, i)
	require.Equal(t, want, got)
	for _, x := range []float64{1e-9, 0.001, 0.9, 1, 1.1, 70, 30000} {
		i := float64(index(x))
		require.LessOrEqual(t, x, math.Pow(2, i/8))
		require.Greater(t, x, math.Pow(2, (i-1)/8))
	}
}

// all returns a registry with every sort of source.
func all(t testing.TB) *observe.Registry {
	r := new(observe.Registry)
	ok := func(_ func(), err error) { t.Helper(); require.NoError(t, err) }
	ok(observe.AddFunc(r, "poundlock_workerpool", "x", func() (s workerpool.Stats) { return s }))
	ok(observe.AddFunc(r, "poundlock_workerpool_view", "x", func() (s workerpool.ViewStats) { return s }))
	ok(observe.AddFunc(r, "poundlock_batchchan", "x", func() (s batchchan.Stats) { return s }))
	ok(observe.AddFunc(r, "poundlock_batchchan_chan", "x", func() (s batchchan.ChanStats) { return s }))
	ok(observe.AddFunc(r, "poundlock_batchchan_keyed", "x", func() (s batchchan.KeyedStats) { return s }))
	ok(observe.AddFunc(r, "poundlock_batchchan_caller", "x", func() (s batchchan.CallerStats) { return s }))
	ok(observe.AddFunc(r, "poundlock_connpool", "x", func() (s connpool.Stats) { return s }))
	ok(observe.AddFunc(r, "poundlock_connpool_keyed", "x", func() (s connpool.KeyedStats) { return s }))
	ok(observe.AddFunc(r, "poundlock_objpool", "x", func() (s objpool.Stats) { return s }))
	ok(observe.AddFunc(r, "poundlock_lockfree", "x", func() (s lockfree.Stats) { return s }))
	ok(observe.AddFunc(r, "poundlock_locks_spin", "x", func() (s locks.SpinStats) { return s }))
	ok(observe.AddFunc(r, "poundlock_locks_keyed", "x", func() (s locks.KeyedStats) { return s }))
	ok(observe.AddFunc(r, "poundlock_locks_rw", "x", func() (s locks.RWStats) { return s }))
	add(t, r, "process", new(observe.Runtime))
	_, err := httpstats.NewServer(httpstats.ServerConfig{Registry: r})
	require.NoError(t, err)
	_, err = httpstats.NewClient(httpstats.ClientConfig{Registry: r})
	require.NoError(t, err)
	add(t, r, "a", new(jobs))
	return r
}

func TestNamesPassTheLinter(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(New(all(t), Config{})))
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// promtool reads the text that needs no client_golang, too.
func TestPromtoolAcceptsTheText(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("needs promtool: Debian's package prometheus")
	}
	var b strings.Builder
	require.NoError(t, all(t).WriteText(t.Context(), &b))
	cmd := exec.CommandContext(t.Context(), tool, "check", "metrics")
	cmd.Stdin = strings.NewReader(b.String())
	msg, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", msg)
	require.Empty(t, string(msg))
}

func TestCollectIsSafeForConcurrentUse(t *testing.T) {
	var r observe.Registry
	reg := prometheus.NewRegistry()
	require.NoError(t, reg.Register(New(&r, Config{})))
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20 {
				remove, err := observe.Add(&r, fmt.Sprint(g, i), new(jobs))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := reg.Gather(); err != nil {
					t.Error(err)
				}
				remove()
			}
		})
	}
	wg.Wait()
}
