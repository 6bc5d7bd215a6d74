package observe_test

import (
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/observe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// jobStats has a field of every sort.
type jobStats struct {
	Name     string          `json:"name,omitempty"`
	Done     uint64          `json:"done" help:"Jobs that ended."`
	Dropped  reasons         `json:"dropped"`
	Queued   int             `json:"queued"`
	HeldTime time.Duration   `json:"held_time_ns"`
	Uptime   time.Duration   `json:"uptime_ns"`
	Wait     observe.Latency `json:"wait"`
	Usage    float64         `json:"usage"`
	Paused   bool            `json:"paused"`
	Bytes    int64           `json:"queued_bytes"`
	Last     time.Time       `json:"last"`
	hidden   int
}

type reasons struct {
	Full   uint64 `json:"full"`
	Closed uint64 `json:"closed"`
}

// job is a source that gives out its distribution.
type job struct {
	stats jobStats
	wait  observe.Histogram
	block chan struct{} // Stats waits for it, if set
	does  func()        // at each Stats
}

func (j *job) Stats() jobStats {
	if j.does != nil {
		j.does()
	}
	if j.block != nil {
		<-j.block
	}
	s := j.stats
	s.Wait = j.wait.Latency()
	s.hidden++
	return s
}

func (j *job) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
	return func(yield func(string, func(*observe.Snapshot)) bool) { yield("wait", j.wait.AddTo) }
}

// tiny is the smallest source.
type tiny struct{ n uint64 }

type tinyStats struct {
	Hits uint64 `json:"hits"`
}

func (t *tiny) Stats() tinyStats { return tinyStats{t.n} }

func add[S any](t testing.TB, r *observe.Registry, name string, src observe.Source[S]) (remove func()) {
	t.Helper()
	remove, err := observe.Add(r, name, src)
	require.NoError(t, err)
	return remove
}

func text(t testing.TB, r *observe.Registry) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.WriteText(t.Context(), &b))
	return b.String()
}

// errs returns the error of every source by kind and name.
func errs(t testing.TB, r *observe.Registry) map[string]error {
	t.Helper()
	m := map[string]error{}
	for rd := range r.All(t.Context()) {
		m[rd.Kind+"/"+rd.Name] = rd.Err
	}
	return m
}
