package code

//lint:file-ignore SA4006 the pages leave the checks of errors to the reader

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
	"github.com/poundlock/poundlock/workerpool"
)

func begin(pool *workerpool.Pool, mux *http.ServeMux) {
	var reg observe.Registry
	observe.Add(&reg, "orders", pool) // a workerpool.Pool, a batchchan.Batcher, a locks.RWMutex, a *sql.DB, ...
	observe.Add(&reg, "process", new(observe.Runtime))

	mux.Handle("/debug/poundlock/", debug.Handler(&reg)) // a page, metrics, profiles
}

func TestBegin(t *testing.T) {
	pool := workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 8}))
	defer pool.Close()
	mux := http.NewServeMux()
	begin(pool, mux)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/debug/poundlock/", nil))
	require.Equal(t, http.StatusOK, rec.Code)
}

type Mailer struct {
	sent atomic.Uint64
	took observe.Histogram
}

type MailerStats struct {
	Sent uint64          `json:"sent" help:"Mails handed to the server."`
	Took observe.Latency `json:"took" help:"What the server took for a mail."`
}

func (m *Mailer) Stats() MailerStats { return MailerStats{m.sent.Load(), m.took.Latency()} }

// With Histograms a Latency can be added up and taken for the last seconds.
func (m *Mailer) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
	return func(yield func(string, func(*observe.Snapshot)) bool) { yield("took", m.took.AddTo) }
}

func TestMailer(t *testing.T) {
	var m Mailer
	m.sent.Add(1)
	m.took.Record(time.Second)
	var reg observe.Registry
	observe.Add(&reg, "mails", &m)
	require.Contains(t, reg.String(), `"sent":1`)
}

var reg observe.Registry

// watch is compiled only: its directory is not a test's.
var _ = func(ctx context.Context) error {
	captures, err := observe.NewCaptures(observe.CapturesConfig{Dir: "/var/lib/shop/captures", Flight: 5 * time.Second})
	watcher, err := observe.NewWatcher(observe.WatcherConfig{
		Registry: &reg,
		Captures: captures,
		Rules: []observe.Rule{
			{Name: "slow-orders", When: observe.P99Above("poundlock_workerpool", "orders", "queue_wait", time.Second), For: 10 * time.Second},
			{Name: "db-timeouts", When: observe.RateAbove("poundlock_connpool", "", "timeouts", 1)},
			{Name: "gc", When: observe.GCShareAbove(0.25), For: time.Minute},
			{Name: "leak", When: observe.LeaksFound(new(observe.LeakWatch))},
			{Name: "lent-too-long"}, // broken by a hook: watcher.Report("lent-too-long", …)
		},
	})
	go watcher.Run(ctx)
	return err
}
