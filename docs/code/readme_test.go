package code

//lint:file-ignore SA4006 the pages leave the checks of errors to the reader

import (
	"context"
	"expvar"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/lockfree"
	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/objpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
	poundotel "github.com/poundlock/poundlock/observe/otel"
	poundprom "github.com/poundlock/poundlock/observe/prometheus"
	"github.com/poundlock/poundlock/workerpool"
)

func fetch(ctx context.Context, url string) ([]byte, error) {
	select {
	case <-time.After(time.Millisecond):
		return []byte(url), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func first(ctx context.Context, fmt, log printer, urls []string, fetch func(context.Context, string) ([]byte, error), index func([]byte)) error {
	pool := workerpool.Must(workerpool.New(workerpool.Config{
		MaxWorkers: 8, TaskTimeout: 5 * time.Second,
	}))
	for page, err := range workerpool.Map(ctx, pool, slices.Values(urls), fetch) {
		if err != nil { // from fetch, or a panic in it
			log.Println(err)
			break // cancels the fetches under way and waits for them
		}
		index(page) // in the order of urls
	}
	err := pool.Shutdown(ctx) // finishes what was accepted, until ctx ends
	fmt.Println(pool.Stats())
	return err
}

// printer stands in for the packages fmt and log: it keeps what the page prints.
type printer struct{ *strings.Builder }

func (p printer) Println(v any) { fmt.Fprintln(p, v) }

// The Stats that the page shows are those of this code, but for the times.
func TestFirst(t *testing.T) {
	var urls, pages []string
	for i := range 1000 {
		urls = append(urls, strconv.Itoa(i))
	}
	out := printer{new(strings.Builder)}
	err := first(t.Context(), out, printer{}, urls, fetch, func(page []byte) { pages = append(pages, string(page)) })
	require.NoError(t, err)
	require.Equal(t, urls, pages)
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	m := regexp.MustCompile("(?s)```\n(0 of 0 workers.*?)```").FindStringSubmatch(string(text))
	require.NotNil(t, m)
	times := regexp.MustCompile(`\d[\d.]*[nµm]?s`)
	require.Equal(t, times.ReplaceAllString(m[1], "T"), times.ReplaceAllString(out.String(), "T"))
	t.Log(out)
}

// A panic of fetch is an error like any other, and ends the fetches under way.
func TestFirstEndsWithTheFirstError(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	out, log := printer{new(strings.Builder)}, printer{new(strings.Builder)}
	err := first(t.Context(), out, log, []string{"bad", "slow"}, func(ctx context.Context, url string) ([]byte, error) {
		if url == "bad" {
			<-begun
			panic("no such host")
		}
		close(begun)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, ctx.Err()
	}, func([]byte) { t.Error("no page came") })
	require.NoError(t, err)
	require.Contains(t, log.String(), "no such host")
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Contains(t, out.String(), "submitted 2")
}

func see(pool *workerpool.Pool, mux *http.ServeMux, prometheus prometheus.Registerer, exporter metric.Exporter) metric.Reader {
	var reg observe.Registry
	observe.Add(&reg, "orders", pool)                                // anything with a Stats method, *sql.DB too
	mux.Handle("/debug/poundlock/", debug.Handler(&reg))             // the page, pprof, captures, and Prometheus text
	prometheus.MustRegister(poundprom.New(&reg, poundprom.Config{})) // for client_golang
	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(poundotel.NewProducer(&reg, poundotel.Config{})))
	expvar.Publish("poundlock", &reg)
	slog.Info("shutting down", "instruments", &reg)
	return reader
}

// exporter keeps the names of what it is given.
type exporter struct {
	metric.Exporter
	names []string
}

func (e *exporter) Temporality(metric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}

func (e *exporter) Aggregation(k metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(k)
}

func (e *exporter) Export(_ context.Context, all *metricdata.ResourceMetrics) error {
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			e.names = append(e.names, m.Name)
		}
	}
	return nil
}

func (e *exporter) Shutdown(context.Context) error { return nil }

func TestSee(t *testing.T) {
	pool := workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 8}))
	defer pool.Close()
	mux, prom := http.NewServeMux(), prometheus.NewRegistry()
	var otlp exporter
	reader := see(pool, mux, prom, &otlp)
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/debug/poundlock/", nil))
	require.Equal(t, http.StatusOK, rec.Code)
	families, err := prom.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, families)
	require.NoError(t, provider.Shutdown(t.Context())) // which exports once more
	require.Contains(t, otlp.names, "poundlock.workerpool.submitted")
	require.Contains(t, expvar.Get("poundlock").String(), `"orders"`)
}

type (
	Span    struct{ name string }
	Event   struct{ n int }
	Encoder struct{}
	Client  struct{ calls []string }
)

func (c *Client) Call(ctx context.Context, what string) error {
	c.calls = append(c.calls, what)
	return ctx.Err()
}

func (c *Client) Close() error { return nil }

func NewEncoder() *Encoder { return new(Encoder) }

// What the snippets use and do not declare.
var (
	e    = Event{7}
	span = Span{"checkout"}
)

func snippets(ctx context.Context, send func(context.Context, []Span) error, handle func(Event, error), dial func(context.Context) (*Client, error)) (rest []Span, err error) {
	exporter := batchchan.Must(batchchan.New(batchchan.Config[Span]{MaxBatch: 100, Linger: time.Second}, send))
	err = exporter.Send(ctx, span)      // sent once, dropped with a reason, or handed back
	lost, err := exporter.Shutdown(ctx) // lost: what never reached send

	var mu locks.RWMutex             // the zero value works, as sync.RWMutex's does
	err = mu.LockContext(ctx)        // mu.Stats() has reads, writes, contention and waits
	var accounts locks.Keyed[string] // a lock per key, gone with its last user
	defer accounts.LockMany("alice", "bob").Unlock()

	var q lockfree.Queue[Event]      // or NewBounded, which can drop its oldest value
	err = q.Enqueue(e)               // never waits
	for e, err := range q.All(ctx) { // ends when q is closed and empty, or with ctx
		handle(e, err)
	}

	encoders := objpool.Must(objpool.New(objpool.Config[*Encoder]{New: NewEncoder, Max: 1000}))
	enc := encoders.Get()
	encoders.Put(enc)

	conns := connpool.Must(connpool.New(connpool.Config[*Client]{Dial: dial, Close: (*Client).Close, MaxOpen: 16}))
	err = conns.Do(ctx, func(ctx context.Context, c *Client) error { return c.Call(ctx, "hello") })
	return lost, err
}

// The ctx ends with the first event: with it the loop over the events, and the call
// through a connection.
func TestSnippets(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var sent []Span
	var seen []Event
	var last error
	lost, err := snippets(ctx,
		func(_ context.Context, spans []Span) error {
			sent = append(sent, spans...)
			return nil
		},
		func(e Event, err error) {
			seen, last = append(seen, e), err
			cancel()
		},
		func(context.Context) (*Client, error) { return new(Client), nil })
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, lost)
	require.Equal(t, []Span{span}, sent)
	require.Equal(t, []Event{e, {}}, seen)
	require.ErrorIs(t, last, context.Canceled)
}
