package otel

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/poundlock/poundlock/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// conns has the fields that connpool has.
type conns struct{ wait observe.Histogram }

type connsStats struct {
	Idle     int             `json:"idle"`
	InUse    int             `json:"in_use"`
	Timeouts uint64          `json:"timeouts" help:"Calls whose time was up."`
	Bytes    int64           `json:"held_bytes"`
	Busy     time.Duration   `json:"busy_time_ns"`
	Rate     float64         `json:"hit_rate"`
	ClosedBy reasons         `json:"closed_by"`
	WaitTime observe.Latency `json:"wait_time"`
}

type reasons struct {
	Idle uint64 `json:"idle"`
	Full uint64 `json:"full"`
}

func (c *conns) Stats() connsStats {
	return connsStats{Idle: 2, InUse: 3, Timeouts: 4, Bytes: 5, Busy: 1500 * time.Millisecond, Rate: 0.5, ClosedBy: reasons{6, 7}}
}

func (c *conns) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
	return func(yield func(string, func(*observe.Snapshot)) bool) { yield("wait_time", c.wait.AddTo) }
}

func registry(t *testing.T) (*observe.Registry, *conns) {
	t.Helper()
	r, c := new(observe.Registry), new(conns)
	_, err := observe.Add(r, "db", c)
	require.NoError(t, err)
	return r, c
}

func produce(t *testing.T, p *Producer) map[string]metricdata.Metrics {
	t.Helper()
	scopes, err := p.Produce(t.Context())
	require.NoError(t, err)
	require.Len(t, scopes, 1)
	require.Equal(t, ScopeName, scopes[0].Scope.Name)
	all := map[string]metricdata.Metrics{}
	for _, m := range scopes[0].Metrics {
		require.NotContains(t, all, m.Name, "once")
		all[m.Name] = m
	}
	return all
}

// A source that does not return costs its own points only.
func TestASourceThatDoesNotReturn(t *testing.T) {
	for what, does := range map[string]func(){
		"panic":  func() { panic("ouch") },
		"nil":    func() { panic(error(nil)) },
		"Goexit": runtime.Goexit,
	} {
		t.Run(what, func(t *testing.T) {
			r, _ := registry(t)
			_, err := observe.AddFunc(r, "app", "bad", func() (s connsStats) { does(); return s })
			require.NoError(t, err)
			p := NewProducer(r, Config{})
			for n := range 2 {
				all := produce(t, p)
				require.NotContains(t, all, "app.idle")
				require.EqualValues(t, 2, all["poundlock.otel_conns.idle"].Data.(metricdata.Gauge[float64]).DataPoints[0].Value)
				require.EqualValues(t, n+1, all["poundlock.registry.panics"].Data.(metricdata.Sum[float64]).DataPoints[0].Value)
			}
			require.EqualValues(t, 2, r.Stats().Panics)
		})
	}
}

func TestProduce(t *testing.T) {
	r, c := registry(t)
	for range 1000 {
		c.wait.Record(73 * time.Millisecond)
	}
	c.wait.Record(0)
	all := produce(t, NewProducer(r, Config{}))
	const kind = "poundlock.otel_conns."
	timeouts := all[kind+"timeouts"].Data.(metricdata.Sum[float64])
	require.True(t, timeouts.IsMonotonic)
	require.EqualValues(t, 4, timeouts.DataPoints[0].Value)
	require.Equal(t, "Calls whose time was up.", all[kind+"timeouts"].Description)
	name, _ := timeouts.DataPoints[0].Attributes.Value("name")
	require.Equal(t, attribute.StringValue("db"), name)
	require.EqualValues(t, 2, all[kind+"idle"].Data.(metricdata.Gauge[float64]).DataPoints[0].Value)
	require.Len(t, all[kind+"closed_by"].Data.(metricdata.Sum[float64]).DataPoints, 2)
	require.EqualValues(t, 1.5, all[kind+"busy_time"].Data.(metricdata.Sum[float64]).DataPoints[0].Value)
	for metric, unit := range map[string]string{"held_bytes": "By", "busy_time": "s", "hit_rate": "1", "wait_time": "s", "idle": "{idle}"} {
		require.Equal(t, unit, all[kind+metric].Unit, metric)
	}
	h := all[kind+"wait_time"].Data.(metricdata.ExponentialHistogram[float64]).DataPoints[0]
	require.EqualValues(t, 1001, h.Count)
	require.EqualValues(t, 1, h.ZeroCount)
	require.Equal(t, []uint64{1000}, h.PositiveBucket.Counts)
	require.Equal(t, index(0.073), h.PositiveBucket.Offset)
	require.InEpsilon(t, 73, h.Sum, 0.04)
	most, ok := h.Max.Value()
	require.True(t, ok)
	require.InEpsilon(t, 0.073, most, 1e-9)
	require.Panics(t, func() { NewProducer(nil, Config{}) })

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := NewProducer(r, Config{}).Produce(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestExponentialBucketsHoldEverything(t *testing.T) {
	var hist observe.Histogram
	for d := time.Duration(1); d < 10*time.Hour; d = d*21/20 + 1 {
		hist.Record(d)
	}
	var s observe.Snapshot
	hist.AddTo(&s)
	p := exponential(&s, time.Time{}, time.Time{}, attribute.Set{})
	sum := p.ZeroCount
	for _, n := range p.PositiveBucket.Counts {
		sum += n
	}
	require.Equal(t, p.Count, sum)
	for _, x := range []float64{1e-9, 0.001, 0.9, 1, 1.1, 70, 30000} {
		i := float64(index(x))
		require.Greater(t, x, math.Pow(2, i/8))
		require.LessOrEqual(t, x, math.Pow(2, (i+1)/8))
	}
	var none observe.Snapshot
	p = exponential(&none, time.Time{}, time.Time{}, attribute.Set{})
	_, has := p.Max.Value()
	require.False(t, has)
}

func TestSemanticConventions(t *testing.T) {
	r := new(observe.Registry)
	c := new(conns)
	_, err := observe.AddFunc(r, "poundlock_connpool", "main", c.Stats)
	require.NoError(t, err)
	_, err = observe.AddFunc(r, "poundlock_other", "main", c.Stats)
	require.NoError(t, err)
	all := produce(t, NewProducer(r, Config{DBSystem: "postgresql"}))
	sum := all["db.client.connection.count"].Data.(metricdata.Sum[float64])
	require.False(t, sum.IsMonotonic)
	counts := sum.DataPoints
	got := map[string]float64{}
	for _, p := range counts {
		state, _ := p.Attributes.Value("db.client.connection.state")
		pool, _ := p.Attributes.Value("db.client.connection.pool.name")
		system, _ := p.Attributes.Value("db.system.name")
		got[state.AsString()+" "+pool.AsString()+" "+system.AsString()] = p.Value
	}
	require.Equal(t, map[string]float64{"idle main postgresql": 2, "used main postgresql": 3}, got)
	require.Contains(t, all, "db.client.connection.timeouts")
	require.Contains(t, all, "poundlock.connpool.hit_rate", "what has no convention keeps its name")
	require.Contains(t, all, "poundlock.other.idle")
	require.NotContains(t, produce(t, NewProducer(r, Config{})), "db.client.connection.count")
}

// An exporter sends it over OTLP, and a receiver reads it.
func TestOTLP(t *testing.T) {
	r, c := registry(t)
	for range 100 {
		c.wait.Record(73 * time.Millisecond)
	}
	var mu sync.Mutex
	var got []*collector.ExportMetricsServiceRequest
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		req := new(collector.ExportMetricsServiceRequest)
		if err != nil || proto.Unmarshal(b, req) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, req)
	}))
	defer srv.Close()
	exporter, err := otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpointURL(srv.URL+"/v1/metrics"))
	require.NoError(t, err)
	reader := metric.NewPeriodicReader(exporter, metric.WithInterval(time.Hour), metric.WithProducer(NewProducer(r, Config{})))
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	require.NoError(t, provider.ForceFlush(t.Context()))
	require.NoError(t, provider.Shutdown(t.Context()))
	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, got)
	found := map[string]bool{}
	for _, m := range got[0].ResourceMetrics[0].ScopeMetrics[0].Metrics {
		found[m.Name] = true
		if m.Name == "poundlock.otel_conns.wait_time" {
			p := m.GetExponentialHistogram().DataPoints[0]
			require.EqualValues(t, 100, p.Count)
			require.EqualValues(t, scale, p.Scale)
		}
	}
	require.True(t, found["poundlock.otel_conns.wait_time"])
	require.True(t, found["poundlock.otel_conns.timeouts"])
}

func TestLinked(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder)).Tracer("test")
	var origins []Origin
	for i := range 200 {
		ctx, span := tracer.Start(t.Context(), fmt.Sprint("send ", i))
		origins = append(origins, OriginOf(ctx), OriginOf(ctx), OriginOf(t.Context()))
		span.End()
	}
	_, span := Linked(t.Context(), tracer, "batch", nil, origins...)
	span.End()
	spans := recorder.Ended()
	last := spans[len(spans)-1]
	require.Equal(t, "batch", last.Name())
	require.Len(t, last.Links(), 128)
	require.Equal(t, spans[0].SpanContext(), last.Links()[0].SpanContext)
	require.NotEqual(t, last.Links()[0].SpanContext, last.Links()[1].SpanContext, "each once")
	require.False(t, last.Parent().IsValid())
	_, span = Linked(t.Context(), tracer, "alone", nil, OriginOf(t.Context()))
	span.End()
	spans = recorder.Ended()
	require.Empty(t, spans[len(spans)-1].Links())
}
