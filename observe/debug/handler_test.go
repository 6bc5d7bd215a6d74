package debug_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type stats struct {
	Jobs  uint64 `json:"jobs"`
	Share float64
}

func registry(t *testing.T) *observe.Registry {
	t.Helper()
	r := new(observe.Registry)
	_, err := observe.AddFunc(r, "app", "main", func() stats { return stats{Jobs: 7} })
	require.NoError(t, err)
	return r
}

func open(t *testing.T, cfg debug.Config) *debug.Page {
	t.Helper()
	if cfg.Registry == nil {
		cfg.Registry = registry(t)
	}
	p, err := debug.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func get(h http.Handler, method, url string, header ...string) *http.Response {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

func TestItMountsAnywhere(t *testing.T) {
	p := open(t, debug.Config{})
	mux := func(pattern string, h http.Handler) http.Handler {
		m := http.NewServeMux()
		m.Handle(pattern, h)
		return m
	}
	for what, c := range map[string]struct {
		h      http.Handler
		prefix string
	}{
		"at the root, alone":     {p, ""},
		"at the mux's root":      {mux("/", p), ""},
		"below a path":           {mux("/debug/poundlock/", p), "/debug/poundlock"},
		"with method and host":   {mux("GET example.com/d/", p), "/d"},
		"with a wildcard":        {mux("/d/{rest...}", p), "/d"},
		"with a prefix stripped": {mux("/a/", http.StripPrefix("/a", p)), "/a"},
		"below a wider pattern":  {mux("/", http.StripPrefix("/b/c", p)), "/b/c"},
	} {
		res := get(c.h, "GET", c.prefix+"/")
		require.Equal(t, 200, res.StatusCode, what)
		require.Equal(t, "text/html; charset=utf-8", res.Header.Get("Content-Type"), what)
		require.Contains(t, body(t, get(c.h, "GET", c.prefix+"/metrics")), `app_jobs_total{name="main"} 7`, what)
		require.Contains(t, body(t, get(c.h, "GET", c.prefix+"/pprof/goroutine?debug=1")), "goroutine profile", what)
		require.Equal(t, 404, get(c.h, "GET", c.prefix+"/none").StatusCode, what)
	}
	res := get(mux("/d", p), "GET", "/d")
	require.Equal(t, 308, res.StatusCode)
	require.Equal(t, "d/", res.Header.Get("Location"))
	res = get(mux("/x/d", http.StripPrefix("/x/d", p)), "GET", "/x/d?a=1")
	require.Equal(t, "d/", res.Header.Get("Location"))
}

func TestNothingIsOnTheDefaultMux(t *testing.T) {
	open(t, debug.Config{})
	for _, path := range []string{"/debug/pprof/", "/debug/vars", "/debug/poundlock/", "/"} {
		_, pattern := http.DefaultServeMux.Handler(httptest.NewRequest("GET", path, nil))
		require.Empty(t, pattern, path)
	}
}

// The page works without the network, and a browser lets it do nothing else.
func TestThePageIsWhole(t *testing.T) {
	res := get(open(t, debug.Config{}), "GET", "/")
	html := body(t, res)
	html = strings.ReplaceAll(html, "http://www.w3.org/2000/svg", "") // a name, no address
	for _, reach := range []string{"http:", "https:", "src=", "@import", "url("} {
		require.False(t, strings.Contains(html, reach), reach)
	}
	require.False(t, strings.Contains(html, "innerHTML"), "names are text")
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
}

func TestMetricsByMediaType(t *testing.T) {
	p := open(t, debug.Config{})
	res := get(p, "GET", "/metrics")
	require.Equal(t, observe.TextType, res.Header.Get("Content-Type"))
	require.NotContains(t, body(t, res), "# EOF")
	res = get(p, "GET", "/metrics", "Accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
	require.Equal(t, observe.OpenMetricsType, res.Header.Get("Content-Type"))
	require.Contains(t, body(t, res), "# EOF")
	var all map[string]map[string]stats
	require.NoError(t, json.Unmarshal([]byte(body(t, get(p, "GET", "/json"))), &all))
	require.EqualValues(t, 7, all["app"]["main"].Jobs)
}

func TestProfiles(t *testing.T) {
	p := open(t, debug.Config{})
	require.Contains(t, body(t, get(p, "GET", "/pprof/")), "goroutine")
	require.Equal(t, 404, get(p, "GET", "/pprof/none").StatusCode)
	res := get(p, "GET", "/pprof/heap")
	require.Equal(t, `attachment; filename="heap"`, res.Header.Get("Content-Disposition"))
	for _, q := range []string{"seconds=0", "seconds=x", "seconds=301", "seconds=-1"} {
		require.Equal(t, 400, get(p, "GET", "/pprof/profile?"+q).StatusCode, q)
	}
	require.Equal(t, 405, get(p, "POST", "/pprof/heap").StatusCode)
}

func TestToken(t *testing.T) {
	p := open(t, debug.Config{Token: "secret"})
	for _, url := range []string{"/", "/events", "/metrics", "/json", "/pprof/", "/captures/", "/?token=wrong", "/none"} {
		res := get(p, "GET", url)
		require.Equal(t, 401, res.StatusCode, url)
		require.NotContains(t, body(t, res), "app")
	}
	require.Equal(t, 401, get(p, "POST", "/captures/start?token=secret").StatusCode)
	require.Equal(t, 401, get(p, "GET", "/", "Authorization", "Bearer secre").StatusCode)
	require.Equal(t, 401, get(p, "GET", "/", "Cookie", "poundlock_debug=secret").StatusCode)
	require.Equal(t, 200, get(p, "GET", "/", "Authorization", "Bearer secret").StatusCode)
	res := get(p, "GET", "/?token=secret")
	require.Equal(t, 303, res.StatusCode)
	require.Equal(t, "?", res.Header.Get("Location"), "the token does not stay in the address")
	cookie := res.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	require.NotContains(t, cookie.Value, "secret")
	require.Equal(t, 200, get(p, "GET", "/metrics", "Cookie", cookie.Name+"="+cookie.Value).StatusCode)
}

func TestNewRefuses(t *testing.T) {
	_, err := debug.New(debug.Config{})
	require.ErrorContains(t, err, "debug: Config.Registry is nil")
	_, err = debug.New(debug.Config{Registry: new(observe.Registry), Interval: -1})
	require.ErrorContains(t, err, "Interval")
	require.Panics(t, func() { debug.Handler(nil) })
}
