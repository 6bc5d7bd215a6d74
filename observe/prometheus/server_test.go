package prometheus

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
)

// prometheusProgram returns where a real Prometheus is, or skips the test.
func prometheusProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds: not with -short")
	}
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("needs prometheus: Debian's package prometheus")
	}
	return program
}

// A real Prometheus scrapes what client_golang writes and what the debug page does, with
// native histograms where there are some, and answers a rate and a quantile of each.
func TestARealPrometheus(t *testing.T) {
	program := prometheusProgram(t)
	var r observe.Registry
	j := new(jobs)
	add(t, &r, `GET /orders/{id}`, j)
	reg := prometheus.NewRegistry()
	require.NoError(t, reg.Register(New(&r, Config{})))
	mux := http.NewServeMux()
	mux.Handle("/client", promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.Handle("/debug/", debug.Handler(&r))
	mux.HandleFunc("/text", func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", observe.TextType)
		_ = r.WriteText(q.Context(), w) // Prometheus leaves when a scrape takes too long
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()
	base := startPrometheus(t, program, srv.Listener.Addr().String(), 300*time.Millisecond,
		map[string]string{"client": "/client", "debug": "/debug/metrics", "text": "/text"})

	// Work goes on while it scrapes: 200 per step, of 73 ms each.
	found := map[string]float64{}
	deadline := time.Now().Add(40 * time.Second)
	for time.Now().Before(deadline) && len(found) < 6 {
		for range 20 {
			j.wait.Record(73 * time.Millisecond)
		}
		for _, job := range []string{"client", "debug", "text"} {
			sum := fmt.Sprintf(`rate(%swait_seconds_bucket{job=%q}[5s])`, prefix, job)
			if job == "client" {
				sum = fmt.Sprintf(`rate(%swait_seconds{job=%q}[5s])`, prefix, job)
			}
			keep(found, job+" quantile", query(base, "histogram_quantile(0.99, "+sum+")"))
			count := fmt.Sprintf(`rate(%swait_seconds_count{job=%q}[5s])`, prefix, job)
			if job == "client" {
				count = "histogram_count(" + sum + ")"
			}
			keep(found, job+" rate", query(base, count))
		}
		time.Sleep(100 * time.Millisecond) // real time: another process scrapes by its own clock
	}
	require.Len(t, found, 6, "%v", found)
	for _, job := range []string{"client", "debug", "text"} {
		require.GreaterOrEqual(t, found[job+" quantile"], 0.07, "%v", found) // the bucket that has them
		require.LessOrEqual(t, found[job+" quantile"], 0.1, "%v", found)
		require.Positive(t, found[job+" rate"])
	}
	require.InEpsilon(t, 0.073, found["client quantile"], 0.1, "native buckets are finer: %v", found)
}

func keep(found map[string]float64, what string, x float64) {
	if x > 0 { // not yet, or NaN
		found[what] = x
	}
}

// startPrometheus runs a Prometheus that scrapes jobs, each from its path at the target,
// until the test ends.
func startPrometheus(t *testing.T, program, target string, every time.Duration, jobs map[string]string) (base string) {
	t.Helper()
	dir := t.TempDir()
	config := fmt.Sprintf("global: {scrape_interval: %v, scrape_timeout: %v}\nscrape_configs:\n", every, every)
	for job, path := range jobs {
		config += fmt.Sprintf("- {job_name: %s, metrics_path: %s, static_configs: [{targets: [%q]}]}\n", job, path, target)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "prom.yml"), []byte(config), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	cmd := exec.CommandContext(t.Context(), program, "--config.file="+filepath.Join(dir, "prom.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr, "--enable-feature=native-histograms", "--log.level=error")
	var log strings.Builder
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // by the kill
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return "http://" + addr
}

// query returns the value of an expression, 0 for none.
func query(base, expr string) float64 {
	res, err := http.Get(base + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		return 0 // it starts
	}
	defer res.Body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if json.NewDecoder(res.Body).Decode(&answer) != nil || len(answer.Data.Result) == 0 {
		return 0
	}
	text, _ := answer.Data.Result[0].Value[1].(string) // no number parses as 0
	x, _ := strconv.ParseFloat(text, 64)
	return x
}
