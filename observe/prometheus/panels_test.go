package prometheus

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

var (
	panelsTo  = flag.String("panels", "", "`file` for what Prometheus answered to each panel's queries over the time of -panelsfor")
	panelsFor = flag.Duration("panelsfor", 4*time.Minute, "how long the load runs with -panels")
)

// panel is a part of the dashboard.
type panel struct {
	ID      int      `json:"id"`
	Type    string   `json:"type"`
	Title   string   `json:"title"`
	Targets []target `json:"targets"`
	GridPos struct{ X, Y, W, H int }

	FieldConfig struct {
		Defaults struct {
			Unit string `json:"unit"`
		} `json:"defaults"`
	} `json:"fieldConfig"`
}

type target struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
}

func panels(t *testing.T) (all []panel) {
	t.Helper()
	text, err := os.ReadFile(dashboard + "grafana.json")
	require.NoError(t, err)
	var d struct {
		Title  string  `json:"title"`
		Panels []panel `json:"panels"`
	}
	require.NoError(t, json.Unmarshal(text, &d))
	require.Equal(t, "poundlock", d.Title)
	return d.Panels
}

// Every query of the dashboard finds something in a real Prometheus that has scraped the
// six packages at work, and what it finds makes sense.
func TestEveryPanelShowsData(t *testing.T) {
	program := prometheusProgram(t)
	var r observe.Registry
	l := newLoad(t, &r)
	defer l.close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", observe.TextType)
		_ = r.WriteText(q.Context(), w) // Prometheus leaves when a scrape takes too long
	}))
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()
	wave, step, atLeast := 4*time.Second, 300*time.Millisecond, time.Duration(0)
	if *panelsTo != "" {
		wave, step, atLeast = *panelsFor/4, time.Second, *panelsFor
	}
	base := startPrometheus(t, program, srv.Listener.Addr().String(), step, map[string]string{"shop": "/"})
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	wg.Go(func() { l.run(ctx, wave) })

	start := time.Now()
	missing := map[string]string{}
	for _, p := range panels(t) {
		for _, q := range p.Targets {
			missing[p.Title+" "+q.RefID] = filled(q.Expr, 4*step)
		}
	}
	require.Greater(t, len(missing), 90)
	for len(missing) > 0 && time.Since(start) < 40*time.Second+atLeast || time.Since(start) < atLeast {
		time.Sleep(step) // real time: another process scrapes by its own clock
		for what, expr := range missing {
			if slices.ContainsFunc(series(t, base, expr, start, step), func(s answer) bool { return s.highest() > 0 }) {
				delete(missing, what)
			}
		}
	}
	for what, expr := range missing {
		t.Errorf("%s is empty or zero all the time: %s", what, expr)
	}
	for _, p := range panels(t) {
		for _, q := range p.Targets {
			for _, s := range series(t, base, filled(q.Expr, 4*step), start, step) {
				require.NotContains(t, legend(q.LegendFormat, s.Metric), "{{", "%s: a label that is not there", p.Title)
				high, what := s.highest(), fmt.Sprint(p.Title, ": ", q.Expr, s.Metric)
				switch p.FieldConfig.Defaults.Unit {
				case "percentunit":
					require.LessOrEqual(t, high, 1.01, what)
				case "s":
					require.Less(t, high, 30.0, what)
				case "ops", "short":
					require.Less(t, high, 1e5, what)
				case "bytes":
					require.Greater(t, high, 1e5, what)
				default:
					t.Errorf("%s has a unit of which this test knows nothing: %s", p.Title, p.FieldConfig.Defaults.Unit)
				}
			}
		}
	}
	if *panelsTo != "" {
		keepPanels(t, base, start, step)
	}
}

// filled returns a query with Grafana's variables replaced, all jobs and names chosen.
func filled(expr string, interval time.Duration) string {
	return strings.NewReplacer("$job", ".*", "$name", ".*", "$__rate_interval", fmt.Sprint(interval.Milliseconds(), "ms")).Replace(expr)
}

// legend returns a legend with the labels of a series in it.
func legend(format string, labels map[string]string) string {
	for name, value := range labels {
		format = strings.ReplaceAll(format, "{{"+name+"}}", value)
	}
	return format
}

// answer is one series of an answer.
type answer struct {
	Metric map[string]string `json:"metric"`
	Values [][2]any          `json:"values"`
}

func (a answer) highest() float64 {
	high := math.Inf(-1)
	for _, v := range a.Values {
		text, _ := v[1].(string)
		if x, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(x) { // NaN: nothing happened, a gap
			high = max(high, x)
		}
	}
	return high
}

// series returns what a query has found since a time.
func series(t *testing.T, base, expr string, since time.Time, step time.Duration) []answer {
	t.Helper()
	seconds := func(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }
	res, err := http.Get(base + "/api/v1/query_range?" + url.Values{
		"query": {expr}, "step": {seconds(step.Seconds())},
		"start": {seconds(float64(since.UnixMilli()) / 1000)}, "end": {seconds(float64(time.Now().UnixMilli()) / 1000)},
	}.Encode())
	if err != nil {
		return nil // it starts
	}
	defer res.Body.Close()
	var found struct {
		Data struct {
			Result []answer `json:"result"`
		} `json:"data"`
	}
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NotEqual(t, http.StatusBadRequest, res.StatusCode, "%s: %s", expr, body)
	if json.Unmarshal(body, &found) != nil {
		return nil // it starts
	}
	return found.Data.Result
}

// keepPanels writes what is drawn for the pictures of docs/observe.md.
func keepPanels(t *testing.T, base string, start time.Time, step time.Duration) {
	t.Helper()
	type line struct {
		Legend string   `json:"legend"`
		Values [][2]any `json:"values"`
	}
	kept := map[int][]line{}
	for _, p := range panels(t) {
		for _, q := range p.Targets {
			for _, s := range series(t, base, filled(q.Expr, 4*step), start, step) {
				kept[p.ID] = append(kept[p.ID], line{legend(q.LegendFormat, s.Metric), s.Values})
			}
		}
	}
	text, err := json.Marshal(kept)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(*panelsTo, text, 0o600))
}
