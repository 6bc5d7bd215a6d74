package observe_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

// instrument makes one of values by key: numbers, and for counters rates per second.
type instrument map[string]any

type (
	rate float64
	p99  time.Duration // of 100
	few  time.Duration // p99 of 5
)

func (i instrument) build() *observe.Instrument {
	in := &observe.Instrument{Kind: "k", Name: "n"}
	for key, v := range i {
		p := observe.Point{Field: &observe.Field{Name: key}}
		switch v := v.(type) {
		case int:
			p.Field.Kind, p.Number = observe.Gauge, float64(v)
		case rate:
			p.Field.Kind, p.Rate = observe.Counter, float64(v)
		case p99:
			p.Field.Kind, p.Window = observe.Distribution, &observe.Latency{Count: 100, P99: time.Duration(v)}
		case few:
			p.Field.Kind, p.Window = observe.Distribution, &observe.Latency{Count: 5, P99: time.Duration(v)}
		}
		in.Points = append(in.Points, p)
	}
	return in
}

func TestHints(t *testing.T) {
	const ms = p99(time.Millisecond)
	for what, c := range map[string]struct {
		now, earlier instrument
		want         string // code and severity, "" for none
		says         string
	}{
		"nothing":               {now: instrument{}},
		"all is well":           {now: instrument{"queued": 5, "queue_cap": 100, "submitted": rate(1000), "failed": rate(1), "queue_wait": 5 * ms}},
		"queue nearly full":     {now: instrument{"queued": 90, "queue_cap": 100}, want: "queue-full warning", says: "90 of 100"},
		"queue full":            {now: instrument{"pending": 64, "max_pending": 64}, want: "queue-full critical", says: "64 of 64"},
		"senders wait":          {now: instrument{"pending": 64, "waiting": 3}, want: "queue-full warning", says: "3 senders wait"},
		"nobody waits":          {now: instrument{"pending": 64, "waiting": 0}},
		"unbounded":             {now: instrument{"queued": 90, "queue_cap": -1}},
		"no queue":              {now: instrument{"queued": 0, "queue_cap": 0}},
		"a queue of one":        {now: instrument{"len": 1, "cap": 1}},
		"exhausted":             {now: instrument{"in_use": 4, "max_open": 4, "waiting": 2}, want: "exhausted critical", says: "2 calls wait"},
		"exhausted sql.DB":      {now: instrument{"in_use": 4, "max_open_connections": 4, "wait_count": rate(2)}, want: "exhausted critical", says: "2 calls per second have to wait"},
		"sql.DB, all in use":    {now: instrument{"in_use": 4, "max_open_connections": 4, "wait_count": rate(0)}},
		"sql.DB without bound":  {now: instrument{"in_use": 4, "max_open_connections": 0, "wait_count": rate(0)}},
		"as many as it wants":   {now: instrument{"in_use": 4, "max_open": 0, "waiting": 2}},
		"all in use":            {now: instrument{"in_use": 4, "max_open": 4, "waiting": 0}},
		"dropped":               {now: instrument{"dropped_oldest": rate(3)}, want: "drops critical", says: "3 accepted"},
		"rejected a few":        {now: instrument{"submitted": rate(1000), "rejected": rate(1)}, want: "rejected warning", says: "1 calls"},
		"rejected many":         {now: instrument{"submitted": rate(10), "rejected": rate(20)}, want: "rejected critical", says: "20 calls"},
		"timeouts":              {now: instrument{"acquires": rate(1000), "timeouts": rate(0.5)}, want: "timeouts warning", says: "0.5 calls"},
		"many timeouts":         {now: instrument{"acquires": rate(10), "timeouts": rate(5)}, want: "timeouts critical"},
		"panics":                {now: instrument{"panics": rate(0.1)}, want: "panics critical"},
		"leaks":                 {now: instrument{"leaked": rate(0.1)}, want: "leaks critical"},
		"failing":               {now: instrument{"submitted": rate(100), "failed": rate(5)}, want: "failures warning", says: "5 fail per second, of 100"},
		"failing for good":      {now: instrument{"submitted": rate(100), "failed": rate(60)}, want: "failures critical"},
		"breaker":               {now: instrument{"breaker": 1}, want: "breaker-open critical"},
		"breaker closed":        {now: instrument{"breaker": 0}},
		"waits grow":            {now: instrument{"queue_wait": 50 * ms}, earlier: instrument{"queue_wait": 20 * ms}, want: "waits-grow warning", says: "20ms to 50ms"},
		"waits grow, tiny":      {now: instrument{"queue_wait": 5 * ms}, earlier: instrument{"queue_wait": ms}},
		"waits grow, few":       {now: instrument{"queue_wait": few(50 * ms)}, earlier: instrument{"queue_wait": 20 * ms}},
		"waits grew, few then":  {now: instrument{"queue_wait": 50 * ms}, earlier: instrument{"queue_wait": few(20 * ms)}},
		"waits shrink":          {now: instrument{"queue_wait": 20 * ms}, earlier: instrument{"queue_wait": 50 * ms}},
		"another struct before": {now: instrument{"queue_wait": 50 * ms}, earlier: instrument{"queue_wait": 20 * ms, "x": 1}},
		"slow waits":            {now: instrument{"wait_time": 1500 * ms}, want: "slow-waits warning", says: "1.5s"},
		"hit rate":              {now: instrument{"hits": rate(12), "misses": rate(88)}, want: "hit-rate-low notice", says: "12 % of 100"},
		"hit rate, few":         {now: instrument{"hits": rate(1), "misses": rate(8)}},
		"contended":             {now: instrument{"acquired": rate(1000), "contended": rate(300)}, want: "contended notice", says: "30 % of 1000"},
		"a contended RWMutex":   {now: instrument{"reads": rate(900), "writes": rate(100), "read_contended": rate(200), "write_contended": rate(50)}, want: "contended notice", says: "25 %"},
		"contended, seldom":     {now: instrument{"acquired": rate(50), "contended": rate(50)}},
		"GC":                    {now: instrument{"cpu_time_ns": rate(2), "gc_cpu_time_ns": rate(0.5)}, want: "gc-busy warning", says: "25 %"},
		"objpool's rejected":    {now: instrument{"gets": rate(10), "rejected": rate(5), "discards": 0}},
	} {
		var earlier *observe.Instrument
		if c.earlier != nil {
			earlier = c.earlier.build()
		}
		got := observe.Hints(c.now.build(), earlier)
		if c.want == "" {
			require.Empty(t, got, what)
			continue
		}
		require.Len(t, got, 1, what)
		require.Equal(t, c.want, got[0].Code+" "+got[0].Severity.String(), what)
		require.Contains(t, got[0].What, c.says, what)
		require.NotEmpty(t, got[0].Do, what)
	}
}

func TestTheWorstHintComesFirst(t *testing.T) {
	got := observe.Hints(instrument{"hits": rate(12), "misses": rate(88), "panics": rate(1), "timeouts": rate(0.1), "gets": rate(100)}.build(), nil)
	var severities []string
	for _, h := range got {
		severities = append(severities, h.Severity.String())
	}
	require.Equal(t, []string{"critical", "warning", "notice"}, severities)
	got = observe.Hints(&observe.Instrument{Err: errors.New("ouch")}, nil)
	require.Equal(t, "ouch", got[0].What)
}

func TestHeadline(t *testing.T) {
	h := observe.Headline(instrument{
		"submitted": rate(1), "completed": rate(1), "failed": rate(1), "queued": 3, "workers": 2, "queue_cap": 9,
		"queue_wait": p99(1), "run_time": p99(1), "panics": rate(0),
	}.build())
	require.Equal(t, []string{"submitted", "queued", "queue_cap", "queue_wait"}, []string{h.Rate.Name, h.Queue.Name, h.Cap.Name, h.Wait.Name})
	require.Len(t, h.Errors, 2)
	h = observe.Headline(instrument{"in_use": 1, "max_open_connections": 3, "open_connections": 2, "wait_count": rate(1)}.build())
	require.Equal(t, []string{"wait_count", "in_use", "max_open_connections"}, []string{h.Rate.Name, h.Queue.Name, h.Cap.Name}, "of a sql.DB")
	h = observe.Headline(instrument{"mails": rate(1), "open": 1, "took": p99(1)}.build())
	require.Equal(t, []string{"mails", "open", "took"}, []string{h.Rate.Name, h.Queue.Name, h.Wait.Name}, "of a type of one's own")
	require.Zero(t, observe.Headline(&observe.Instrument{}))
}
