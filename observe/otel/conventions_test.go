package otel

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

// attributes are those of each point of a metric, as "key=value key=value".
func attributes(t *testing.T, m metricdata.Metrics) []string {
	t.Helper()
	var sets []attribute.Set
	switch d := m.Data.(type) {
	case metricdata.Sum[float64]:
		require.False(t, d.IsMonotonic)
		for _, p := range d.DataPoints {
			sets = append(sets, p.Attributes)
		}
	case metricdata.ExponentialHistogram[float64]:
		for _, p := range d.DataPoints {
			sets = append(sets, p.Attributes)
		}
	default:
		require.Fail(t, "unexpected", "%s is a %T", m.Name, m.Data)
	}
	var all []string
	for _, s := range sets {
		var one []string
		for _, kv := range s.ToSlice() {
			one = append(one, string(kv.Key)+"="+kv.Value.String())
		}
		all = append(all, strings.Join(one, " "))
	}
	return all
}

// A real server and a real client: what a dashboard made for the conventions looks for.
func TestHTTPConventions(t *testing.T) {
	r := new(observe.Registry)
	server, err := httpstats.NewServer(httpstats.ServerConfig{Registry: r, Name: "api"})
	require.NoError(t, err)
	client, err := httpstats.NewClient(httpstats.ClientConfig{Registry: r})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{id}", func(http.ResponseWriter, *http.Request) {})
	srv := httptest.NewServer(server.Wrap(mux))
	defer srv.Close()
	defer client.CloseIdleConnections()
	res, err := (&http.Client{Transport: client}).Get(srv.URL + "/items/7")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	host, port, _ := strings.Cut(strings.TrimPrefix(srv.URL, "http://"), ":")

	all := produce(t, NewProducer(r, Config{HTTP: true}))
	require.Contains(t, attributes(t, all["http.server.active_requests"]), "http.request.method=GET http.route=/items/{id} name=api")
	// One request, one point: an instrument without requests has no part.
	require.Equal(t, []string{"http.request.method=GET http.response.status_code=200 http.route=/items/{id} name=api url.scheme=http"},
		attributes(t, all["http.server.request.duration"]))
	require.Equal(t, []string{"http.request.method=GET http.response.status_code=200 server.address=" + host + " server.port=" + port},
		attributes(t, all["http.client.request.duration"]))
	require.Equal(t, "s", all["http.server.request.duration"].Unit)
	require.Equal(t, "{request}", all["http.server.active_requests"].Unit)
	require.Contains(t, attributes(t, all["http.client.active_requests"]), "server.address="+host+" server.port="+port)
	require.Contains(t, all, "poundlock.http_server.responses", "what has no convention keeps its name")
	require.NotContains(t, produce(t, NewProducer(r, Config{})), "http.server.request.duration")
}

// What the conventions call an error, and what they call a method.
func TestHTTPErrors(t *testing.T) {
	r := new(observe.Registry)
	server, err := httpstats.NewServer(httpstats.ServerConfig{Registry: r})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/x", func(w http.ResponseWriter, r *http.Request) {
		switch r.FormValue("how") {
		case "fail":
			w.WriteHeader(http.StatusBadGateway)
		case "refuse":
			w.WriteHeader(http.StatusTeapot)
		case "break":
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		}
	})
	handler := server.Wrap(mux)
	for _, q := range []string{"GET /x", "BREW /x", "HEAD /x", "GET /x?how=fail", "GET /x?how=fail", "GET /x?how=refuse", "GET /x?how=break"} {
		func() {
			defer func() { _ = recover() }() // one breaks off
			method, target, _ := strings.Cut(q, " ")
			handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, target, nil))
		}()
	}
	m := produce(t, NewProducer(r, Config{HTTP: true}))["http.server.request.duration"]
	require.Equal(t, []string{
		"error.type=_OTHER http.request.method=GET http.route=/x url.scheme=http",
		"http.request.method=GET http.response.status_code=200 http.route=/x url.scheme=http",
		"http.request.method=GET http.response.status_code=418 http.route=/x url.scheme=http",
		"error.type=502 http.request.method=GET http.response.status_code=502 http.route=/x url.scheme=http",
		"http.request.method=HEAD http.response.status_code=200 http.route=/x url.scheme=http",
		"http.request.method=_OTHER http.response.status_code=200 http.route=/x url.scheme=http",
	}, attributes(t, m))
	var counts []uint64
	for _, p := range m.Data.(metricdata.ExponentialHistogram[float64]).DataPoints {
		counts = append(counts, p.Count)
	}
	require.Equal(t, []uint64{1, 1, 1, 2, 1, 1}, counts)

	client, err := httpstats.NewClient(httpstats.ClientConfig{Registry: r, Base: answers{}})
	require.NoError(t, err)
	for _, url := range []string{"https://example.org/404", "https://example.org/200", "https://example.org/none"} {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		require.NoError(t, err)
		if res, err := client.RoundTrip(req); err == nil {
			require.NoError(t, res.Body.Close())
		}
	}
	require.Equal(t, []string{
		"error.type=_OTHER http.request.method=GET server.address=example.org",
		"http.request.method=GET http.response.status_code=200 server.address=example.org",
		"error.type=404 http.request.method=GET http.response.status_code=404 server.address=example.org",
	}, attributes(t, produce(t, NewProducer(r, Config{HTTP: true}))["http.client.request.duration"]))
}

// answers answers with the status that is the path, if it is one.
type answers struct{}

func (answers) RoundTrip(r *http.Request) (*http.Response, error) {
	status, err := strconv.Atoi(r.URL.Path[1:])
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

// Instruments with different names have different attributes, or one would hide another.
func TestHTTPAttributes(t *testing.T) {
	text := func(kvs []attribute.KeyValue) string {
		var all []string
		for _, kv := range kvs {
			all = append(all, string(kv.Key)+"="+kv.Value.String())
		}
		return strings.Join(all, " ")
	}
	for name, want := range map[string]string{
		"/":                           "http.route=/",
		"GET /x":                      "http.route=/x http.request.method=GET",
		"example.org/x":               "http.route=example.org/x",
		"POST example.org/x":          "http.route=example.org/x http.request.method=POST",
		"api /x":                      "http.route=/x name=api",
		"api GET /x/{a...}":           "http.route=/x/{a...} http.request.method=GET name=api",
		"the api GET example.org/x y": "http.route=example.org/x y http.request.method=GET name=the api",
		"unmatched":                   "http.route=unmatched",
		"api other":                   "http.route=api other",
	} {
		require.Equal(t, want, text(serverAttributes(name)), name)
	}
	for name, want := range map[string]string{
		"example.org":     "server.address=example.org",
		"[::1]:8080":      "server.address=::1 server.port=8080",
		"out example:443": "name=out server.address=example server.port=443",
		"far out example": "name=far out server.address=example",
		"other":           "server.address=other",
	} {
		require.Equal(t, want, text(clientAttributes(name)), name)
	}
}

// Every field that a convention names is there, in connpool and in httpstats.
func TestConventionsNameFieldsThatExist(t *testing.T) {
	r := new(observe.Registry)
	_, err := observe.AddFunc(r, "poundlock_connpool", "x", func() (s connpool.Stats) { return s })
	require.NoError(t, err)
	_, err = observe.AddFunc(r, "poundlock_http_server", "x", func() (s httpstats.ServerStats) { return s })
	require.NoError(t, err)
	_, err = observe.AddFunc(r, "poundlock_http_client", "x", func() (s httpstats.ClientStats) { return s })
	require.NoError(t, err)
	fields := map[string]map[string]bool{}
	for rd := range r.All(t.Context()) {
		fields[rd.Kind] = map[string]bool{}
		for _, v := range rd.Values {
			fields[rd.Kind][v.Name] = true
		}
	}
	for name := range dbConventions {
		require.True(t, fields["poundlock_connpool"][name], name)
	}
	for kind, of := range httpConventions {
		for name := range of {
			require.True(t, fields[kind][name], "%s.%s", kind, name)
		}
	}
}
