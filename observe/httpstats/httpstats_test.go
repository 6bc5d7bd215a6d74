package httpstats_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func server(t *testing.T, r *observe.Registry, cfg httpstats.ServerConfig) *httpstats.Server {
	t.Helper()
	cfg.Registry = r
	s, err := httpstats.NewServer(cfg)
	require.NoError(t, err)
	return s
}

// stats returns the statistics of every route.
func stats[S any](t *testing.T, r *observe.Registry) map[string]S {
	t.Helper()
	all := map[string]S{}
	for rd := range r.All(t.Context()) {
		require.NoError(t, rd.Err)
		if s, ok := rd.Stats.(*S); ok {
			all[rd.Name] = *s
		}
	}
	return all
}

func do(h http.Handler, method, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, url, nil))
	return w
}

func TestRequestsAreCountedByPattern(t *testing.T) {
	var r observe.Registry
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "12345") })
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	mux.HandleFunc("/early", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(103)
		w.WriteHeader(204)
		w.WriteHeader(500) // too late
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(103)
		fmt.Fprint(w, "x") // 200 goes before it
	})
	mux.HandleFunc("/silent", func(http.ResponseWriter, *http.Request) {})
	h := server(t, &r, httpstats.ServerConfig{}).Wrap(mux)
	for i := range 100 {
		do(h, "GET", fmt.Sprintf("/orders/%d", i))
		do(h, "GET", fmt.Sprintf("/nowhere/%d", i))
	}
	do(h, "POST", "/orders")
	do(h, "GET", "/early")
	do(h, "GET", "/hints")
	do(h, "GET", "/silent")
	got := stats[httpstats.ServerStats](t, &r)
	require.Len(t, got, 7, "patterns, and other: no paths")
	order := got["GET /orders/{id}"]
	require.EqualValues(t, 100, order.Requests)
	require.EqualValues(t, 500, order.ResponseBytes)
	require.EqualValues(t, 100, order.Responses.Success)
	require.EqualValues(t, 100, order.Duration.Count)
	require.Zero(t, order.InFlight)
	require.EqualValues(t, 100, got["unmatched"].Responses.ClientError)
	require.Zero(t, got["unmatched"].Errors)
	require.EqualValues(t, 1, got["POST /orders"].Errors)
	require.Equal(t, httpstats.Responses{Success: 1}, got["/early"].Responses)
	require.Equal(t, httpstats.Responses{Success: 1}, got["/hints"].Responses)
	require.Equal(t, httpstats.Responses{Success: 1}, got["/silent"].Responses)
	var b strings.Builder
	require.NoError(t, r.WriteText(t.Context(), &b))
	require.Contains(t, b.String(), `poundlock_http_server_responses_total{name="GET /orders/{id}",reason="2xx"} 100`)
	require.Contains(t, b.String(), "# TYPE poundlock_http_server_duration_seconds histogram\n")
}

// A mux behind another handler names the route when the request has been handled.
func TestAMuxFurtherInside(t *testing.T) {
	var r observe.Registry
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "12345") })
	mux.HandleFunc("/boom", func(http.ResponseWriter, *http.Request) { panic("boom") })
	inside := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(w, r) })
	h := server(t, &r, httpstats.ServerConfig{}).Wrap(inside)
	do(h, "GET", "/orders/7")
	do(h, "GET", "/nowhere")
	require.Panics(t, func() { do(h, "GET", "/boom") })
	got := stats[httpstats.ServerStats](t, &r)
	require.EqualValues(t, 1, got["GET /orders/{id}"].Requests)
	require.EqualValues(t, 5, got["GET /orders/{id}"].ResponseBytes)
	require.EqualValues(t, 1, got["/boom"].Panics)
	require.EqualValues(t, 1, got["unmatched"].Requests)
	for name, s := range got {
		require.Zero(t, s.InFlight, name)
	}

	// What Route says stands.
	h = server(t, &r, httpstats.ServerConfig{Name: "own", Route: func(*http.Request) string { return "" }}).Wrap(inside)
	do(h, "GET", "/orders/7")
	require.EqualValues(t, 1, stats[httpstats.ServerStats](t, &r)["own unmatched"].Requests)
}

func TestRoutesAreBounded(t *testing.T) {
	var r observe.Registry
	h := server(t, &r, httpstats.ServerConfig{MaxRoutes: 3, Route: func(r *http.Request) string { return r.URL.Path }}).Wrap(http.NotFoundHandler())
	for i := range 50 {
		do(h, "GET", fmt.Sprintf("/%d", i))
	}
	do(h, "GET", "/%22quote")
	got := stats[httpstats.ServerStats](t, &r)
	require.Len(t, got, 4)
	require.EqualValues(t, 48, got[httpstats.Other].Requests, "and names that cannot be")
}

func TestInFlightIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r observe.Registry
		gate := make(chan struct{})
		h := server(t, &r, httpstats.ServerConfig{MaxInFlight: 2}).Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-gate }))
		for range 2 {
			go do(h, "GET", "/")
		}
		synctest.Wait()
		w := do(h, "GET", "/")
		require.Equal(t, 503, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		s := stats[httpstats.ServerStats](t, &r)["unmatched"]
		require.Equal(t, 2, s.InFlight)
		require.EqualValues(t, 1, s.Rejected)
		close(gate)
		synctest.Wait()
		require.Equal(t, 200, do(h, "GET", "/").Code)
		s = stats[httpstats.ServerStats](t, &r)["unmatched"]
		require.Zero(t, s.InFlight)
		require.EqualValues(t, 4, s.Requests)
		require.EqualValues(t, 3, s.Duration.Count)
	})
}

func TestAHandlerThatPanics(t *testing.T) {
	var r observe.Registry
	var with any
	h := server(t, &r, httpstats.ServerConfig{}).Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(with) }))
	for _, with = range []any{"ouch", fmt.Errorf("x: %w", http.ErrAbortHandler)} {
		require.PanicsWithValue(t, with, func() { do(h, "GET", "/") })
	}
	exit := server(t, &r, httpstats.ServerConfig{Name: "exit"}).Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { runtime.Goexit() }))
	done := make(chan struct{})
	go func() { defer close(done); do(exit, "GET", "/") }()
	<-done
	s := stats[httpstats.ServerStats](t, &r)
	require.EqualValues(t, 1, s["unmatched"].Panics)
	require.EqualValues(t, 1, s["unmatched"].Aborted)
	require.EqualValues(t, 2, s["unmatched"].Errors)
	require.Zero(t, s["unmatched"].Responses, "nothing was sent")
	require.Zero(t, s["unmatched"].InFlight)
	require.Zero(t, s["exit unmatched"].InFlight)
	require.Zero(t, s["exit unmatched"].Panics)
}

func TestTheRouteIsAPprofLabel(t *testing.T) {
	var r observe.Registry
	label := func() string {
		var b strings.Builder
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
		return b.String()
	}
	mux := http.NewServeMux()
	inside := ""
	mux.HandleFunc("GET /x/{id}", func(_ http.ResponseWriter, q *http.Request) { inside = label() + q.Pattern })
	h := server(t, &r, httpstats.ServerConfig{}).Wrap(mux)
	do(h, "GET", "/x/1")
	require.Contains(t, inside, `"route":"GET /x/{id}"`)
	require.True(t, strings.HasSuffix(inside, "GET /x/{id}"))
	require.NotContains(t, label(), `"route"`, "and not afterwards")
}

func TestTheWriterIsWhatItWas(t *testing.T) {
	var r observe.Registry
	h := server(t, &r, httpstats.ServerConfig{}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		switch q.URL.Path {
		case "/flush":
			w.(http.Flusher).Flush()
			require.NoError(t, http.NewResponseController(w).EnableFullDuplex())
		case "/copy":
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("123"))
			require.NoError(t, err)
		case "/hijack":
			c, rw, err := w.(http.Hijacker).Hijack()
			require.NoError(t, err)
			_, err = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n\r\nhello")
			require.NoError(t, errors.Join(err, rw.Flush(), c.Close()))
		}
	}))
	var handlers sync.WaitGroup
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		handlers.Add(1)
		defer handlers.Done()
		h.ServeHTTP(w, q)
	}))
	defer srv.Close()
	for _, path := range []string{"/flush", "/copy"} {
		res, err := srv.Client().Get(srv.URL + path)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	_, err = c.Write([]byte("GET /hijack HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "101")
	require.NoError(t, c.Close())
	srv.Close()
	handlers.Wait() // Close does not wait for who has taken its connection over
	s := stats[httpstats.ServerStats](t, &r)["unmatched"]
	require.Equal(t, httpstats.Responses{Informational: 1, Success: 2}, s.Responses)
	require.EqualValues(t, 3, s.ResponseBytes)
	_, _, err = func() (net.Conn, *bufio.ReadWriter, error) {
		var hj http.Hijacker
		server(t, &r, httpstats.ServerConfig{Name: "n"}).Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { hj = w.(http.Hijacker) })).
			ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
		return hj.Hijack()
	}()
	require.ErrorIs(t, err, http.ErrNotSupported)
}

func TestServersAreRefusedAndClosed(t *testing.T) {
	var r observe.Registry
	for says, cfg := range map[string]httpstats.ServerConfig{
		"Registry is nil":         {},
		"MaxRoutes is negative":   {Registry: &r, MaxRoutes: -1},
		"MaxInFlight is negative": {Registry: &r, MaxInFlight: -1},
		"bad name":                {Registry: &r, Name: "a\n"},
	} {
		_, err := httpstats.NewServer(cfg)
		require.ErrorContains(t, err, says)
	}
	s := server(t, &r, httpstats.ServerConfig{})
	_, err := httpstats.NewServer(httpstats.ServerConfig{Registry: &r})
	require.ErrorIs(t, err, observe.ErrDuplicate)
	mux := http.NewServeMux()
	mux.HandleFunc("/new", http.NotFound)
	h := s.Wrap(mux)
	do(h, "GET", "/")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Empty(t, stats[httpstats.ServerStats](t, &r))
	require.Equal(t, 404, do(h, "GET", "/new").Code, "it goes on working")
	require.Empty(t, stats[httpstats.ServerStats](t, &r), "and comes not back")
	server(t, &r, httpstats.ServerConfig{})
}

func client(t *testing.T, r *observe.Registry, cfg httpstats.ClientConfig) *http.Client {
	t.Helper()
	cfg.Registry = r
	c, err := httpstats.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return &http.Client{Transport: c}
}

func TestAClientIsTimedByParts(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/bad" {
			w.WriteHeader(502)
		}
		fmt.Fprint(w, "hello")
	}))
	defer srv.Close()
	var r observe.Registry
	c := client(t, &r, httpstats.ClientConfig{Base: srv.Client().Transport})
	res, err := c.Get(srv.URL)
	require.NoError(t, err)
	name := srv.Listener.Addr().String()
	require.Equal(t, 1, stats[httpstats.ClientStats](t, &r)[name].InFlight, "the body is not read yet")
	_, err = io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	for _, path := range []string{"/x", "/bad"} {
		res, err := c.Get(srv.URL + path)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
	}
	s := stats[httpstats.ClientStats](t, &r)[name]
	require.EqualValues(t, 3, s.Requests)
	require.Zero(t, s.InFlight)
	require.EqualValues(t, 1, s.Errors)
	require.EqualValues(t, 1, s.Connections)
	require.EqualValues(t, 2, s.Reused)
	require.EqualValues(t, 1, s.Connect.Count)
	require.EqualValues(t, 1, s.TLS.Count)
	require.EqualValues(t, 3, s.FirstByte.Count)
	require.EqualValues(t, 3, s.Duration.Count)
	require.Equal(t, httpstats.Responses{Success: 2, ServerError: 1}, s.Responses)
	c.CloseIdleConnections()
}

// trip is a transport.
type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAClientsErrors(t *testing.T) {
	var r observe.Registry
	var err error
	c := client(t, &r, httpstats.ClientConfig{Name: "api", Base: trip(func(*http.Request) (*http.Response, error) { return nil, err })})
	for _, err = range []error{context.Canceled, context.DeadlineExceeded, errors.New("refused")} {
		_, got := c.Get("http://host.example/path")
		require.ErrorIs(t, got, err)
	}
	s := stats[httpstats.ClientStats](t, &r)["api host.example"]
	require.EqualValues(t, 3, s.Errors)
	require.EqualValues(t, 1, s.Timeouts)
	require.EqualValues(t, 1, s.Canceled)
	require.Zero(t, s.InFlight)

	b := io.NopCloser(io.MultiReader(strings.NewReader("x"), broken{}))
	c = client(t, &r, httpstats.ClientConfig{Name: "b", Base: trip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: b}, nil
	})})
	res, err := c.Get("http://host.example/path")
	require.NoError(t, err)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, errBroken)
	require.NoError(t, res.Body.Close())
	s = stats[httpstats.ClientStats](t, &r)["b host.example"]
	require.EqualValues(t, 1, s.Errors)
	require.EqualValues(t, 1, s.Requests, "once")
}

// pipe is the body of an answer that switches protocols.
type pipe struct{ io.ReadWriteCloser }

// What is odd about an answer, and about the transport.
func TestAClientsOddities(t *testing.T) {
	var r observe.Registry
	res := &http.Response{StatusCode: http.StatusSwitchingProtocols, Body: pipe{}}
	c, err := httpstats.NewClient(httpstats.ClientConfig{Registry: &r, Base: trip(func(*http.Request) (*http.Response, error) {
		if res == nil {
			panic("ouch")
		}
		return res, nil
	})})
	require.NoError(t, err)
	req := httptest.NewRequest("GET", "http://host.example/", nil)
	got, err := c.RoundTrip(req)
	require.NoError(t, err)
	require.Equal(t, pipe{}, got.Body, "who switches writes to it")
	res = &http.Response{StatusCode: 1234}
	_, err = c.RoundTrip(req)
	require.NoError(t, err)
	res = nil
	require.PanicsWithValue(t, "ouch", func() { _, _ = c.RoundTrip(req) })
	s := stats[httpstats.ClientStats](t, &r)["host.example"]
	require.Zero(t, s.InFlight)
	require.EqualValues(t, 3, s.Requests)
	require.Equal(t, map[string]uint64{"GET false 101": 1, "GET false 0": 2}, parts(s))

	refused := client(t, &r, httpstats.ClientConfig{Name: "refused", Base: new(http.Transport)})
	_, err = refused.Get("http://127.0.0.1:1/")
	require.Error(t, err)
	require.Zero(t, stats[httpstats.ClientStats](t, &r)["refused 127.0.0.1:1"].Connect.Count)
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }
