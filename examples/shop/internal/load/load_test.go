package load

import (
	"strings"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

func TestCostsAreDifferencesPerRequest(t *testing.T) {
	var a result
	begin := time.Now()
	for i := range 101 {
		a.Add(&vegeta.Result{Code: 200, Timestamp: begin.Add(time.Duration(i) * 20 * time.Millisecond), Latency: time.Millisecond})
	}
	a.Close()
	cost := sub(
		goods.Figures{CPU: 2020 * time.Millisecond, Bytes: 2010, Objects: 212, GCCycles: 5, GCCPU: 0.101, Queries: 55, Commands: 17},
		goods.Figures{CPU: time.Second, Bytes: 1000, Objects: 10, GCCycles: 1, Queries: 4, Commands: 7},
	)
	c := cell(a, cost, 2*time.Second)
	require.Equal(t, time.Millisecond, c.P99)
	require.Equal(t, time.Millisecond, c.P999)
	c.P50, c.P99, c.P999 = 0, 0, 0
	require.InDelta(t, 0.099, c.Redis, 1e-3)
	require.InDelta(t, 0.505, c.Queries, 1e-3)
	require.InDelta(t, 0.099, c.GCShare, 1e-3)
	c.Redis, c.Queries, c.GCShare = 0, 0, 0
	require.Equal(t, Cell{OK: 1, CPU: 1020 * time.Millisecond / 101, Bytes: 10, Allocs: 2, GC: 2}, c)
}

// What is sustained has answered all but one in a thousand, in time.
func TestSummary(t *testing.T) {
	at := func(twin string, rate int, ok float64, p99, cpu time.Duration) Cell {
		return Cell{Mix: "hot", Twin: twin, Rate: rate, OK: ok, P99: p99, CPU: cpu}
	}
	var out strings.Builder
	writeSummary(&out, []Cell{
		at("shop", 100, 1, 2*time.Millisecond, 10*time.Microsecond),
		at("plain", 100, 0.9995, 50*time.Millisecond, 25*time.Microsecond),
		at("plain+memory", 100, 1, 3*time.Millisecond, 12*time.Microsecond),
		at("shop", 200, 1, 3*time.Millisecond, 11*time.Microsecond),
		at("plain", 200, 1, 51*time.Millisecond, 25*time.Microsecond),
		at("plain+memory", 200, 0.99, 3*time.Millisecond, 12*time.Microsecond),
	})
	require.Contains(t, out.String(), "shop 200/s  plain 100/s  plain+memory 100/s")
	require.Contains(t, out.String(), "CPU per request at 100/s:  plain / shop = 2.50  plain+memory / shop = 1.20")
	out.Reset()
	writeSummary(&out, []Cell{at("shop", 100, 0, 0, 0)})
	require.Contains(t, out.String(), "no rate was sustained by all")
}

func TestBothGetTheSameRequests(t *testing.T) {
	count := map[string]int{}
	a, b := requests("http://x", mixes["hot"], 1000), requests("http://x", mixes["hot"], 1000)
	for range 10000 {
		var one, other vegeta.Target
		require.NoError(t, a(&one))
		require.NoError(t, b(&other))
		require.Equal(t, one.URL, other.URL)
		kind, _, _ := strings.Cut(strings.TrimPrefix(one.URL, "http://x/"), "/")
		count[one.Method+" "+kind]++
	}
	require.InDelta(t, 9200, count["GET products"], 200)
	require.InDelta(t, 500, count["GET catalogue"], 100)
	require.InDelta(t, 200, count["POST orders"], 60)
	require.InDelta(t, 100, count["PUT prices"], 50)
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		12 * time.Microsecond: "12µs", 1234 * time.Microsecond: "1.2ms", 150 * time.Millisecond: "0.15s",
		5 * time.Second: "5.00s", 12 * time.Second: "12s",
	} {
		require.Equal(t, want, short(d))
	}
}
