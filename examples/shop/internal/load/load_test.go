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
	c := round(a, goods.Figures{CPU: time.Second, Bytes: 1000, Objects: 10, GCCycles: 1, Queries: 4, Commands: 7},
		goods.Figures{CPU: 2020 * time.Millisecond, Bytes: 2010, Objects: 212, GCCycles: 5, Queries: 55, Commands: 17},
		2*time.Second)
	require.Equal(t, time.Millisecond, c.P99)
	require.Equal(t, time.Millisecond, c.P999)
	c.P50, c.P99, c.P999 = 0, 0, 0
	require.InDelta(t, 0.099, c.Redis, 1e-3)
	require.InDelta(t, 0.505, c.Queries, 1e-3)
	c.Redis, c.Queries = 0, 0
	require.Equal(t, Round{OK: 1, CPU: 1020 * time.Millisecond / 101, Bytes: 10, Allocs: 2, GC: 2}, c)
}

// A rate is sustained by a round that answered all but one request in a thousand, in
// time, and by a twin in most of its rounds and at all lower rates, too. Ratios are of
// rounds, not of medians: here CPU was scarce in the second.
func TestSummary(t *testing.T) {
	const ms, us = time.Millisecond, time.Microsecond
	at := func(twin string, rate int, rounds ...Round) Cell {
		return Cell{Mix: "hot", Twin: twin, Rate: rate, Rounds: rounds}
	}
	good, bad := Round{OK: 1, P99: 2 * ms, CPU: 10 * us}, Round{OK: 1, P99: 51 * ms, CPU: 20 * us}
	few := Round{OK: 0.99, P99: 2 * ms, CPU: 10 * us}
	just := Round{OK: 0.9995, P99: 50 * ms, CPU: 50 * us}
	http := Round{OK: 1, P99: ms, CPU: 5 * us}
	cells := []Cell{
		at("shop", 100, good, Round{OK: 1, P99: ms, CPU: 20 * us}, good),
		at("plain", 100, just, just, just),
		at("plain+memory", 100, good, good, good),
		at("bare", 100, http, http, http),
		at("shop", 200, good, bad, good),
		at("plain", 200, bad, bad, good),
		at("plain+memory", 200, few, few, good),
		at("bare", 200, http, http, http),
		at("shop", 300, good, good, good),
		at("plain", 300, good, good, good),
		at("plain+memory", 300, bad, bad, bad),
		at("bare", 300, http, bad, bad),
	}
	var out strings.Builder
	writeSummary(&out, cells)
	require.Contains(t, out.String(), `
         shop   300/s (3 of 3)
        plain   100/s (3 of 3)
 plain+memory   100/s (3 of 3)
         bare   200/s (3 of 3)
  CPU per request at 100/s, x the shop's:
    plain 5.00 (2.50-5.00)  plain+memory 1.00 (0.50-1.00)  bare 0.50 (0.25-0.50)
  the same above what bare needs:
    plain 9.00 (3.00-9.00)  plain+memory 1.00 (0.33-1.00)
`)
	out.Reset()
	writeRate(&out, cells[:4])
	for _, want := range []string{
		"shop 100.0    0µs  2.0ms    0µs   10µs ", // medians
		"3 rounds   P99 low-high  x the shop's",
		"shop    1.0ms-2.0ms                       10µs-20µs\n",
		"plain  50.0ms-50.0ms  25.0 (25.0-50.0)     50µs-50µs  5.00 (2.50-5.00)\n",
	} {
		require.Contains(t, out.String(), want)
	}
	out.Reset()
	writeRate(&out, []Cell{at("shop", 100, good)})
	require.NotContains(t, out.String(), "rounds", "one has no spread")
	out.Reset()
	writeSummary(&out, []Cell{at("shop", 100, bad)})
	require.Contains(t, out.String(), "no rate was sustained by all")
	require.Equal(t, "12.3 (0.99-124)", ratio(spread[float64]{12.34, 0.99, 123.6}))
}

func TestBothGetTheSameRequests(t *testing.T) {
	count := map[string]int{}
	a, b := requests("http://x", mixes["hot"], 1000, seed), requests("http://x", mixes["hot"], 1000, seed)
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

// A warm-up leaves most products to be found by those who are measured.
func TestTheWarmUpAsksForOtherProducts(t *testing.T) {
	const n, products = 4000, 10_000
	all := make([]map[string]bool, 2)
	for i, s := range []uint64{warmSeed, seed} {
		all[i] = map[string]bool{}
		ask := requests("http://x", mixes["cold"], products, s)
		for range n {
			var one vegeta.Target
			require.NoError(t, ask(&one))
			if strings.Contains(one.URL, "/products/") {
				all[i][one.URL] = true
			}
		}
	}
	warm := 0
	for url := range all[1] {
		if all[0][url] {
			warm++
		}
	}
	require.InDelta(t, float64(len(all[0]))/products, float64(warm)/float64(len(all[1])), 0.05)
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		12 * time.Microsecond: "12µs", 1234 * time.Microsecond: "1.2ms", 150 * time.Millisecond: "0.15s",
		5 * time.Second: "5.00s", 12 * time.Second: "12s",
	} {
		require.Equal(t, want, short(d))
	}
}
