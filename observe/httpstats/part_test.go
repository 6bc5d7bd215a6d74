package httpstats_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

// parts returns how many requests each part has.
func parts(s interface {
	Parts() iter.Seq[httpstats.Part]
},
) map[string]uint64 {
	all := map[string]uint64{}
	for p := range s.Parts() {
		var sum observe.Snapshot
		p.Duration(&sum)
		all[fmt.Sprintf("%s %t %d", p.Method, p.TLS, p.Status)] = sum.Count()
	}
	return all
}

func TestParts(t *testing.T) {
	var r observe.Registry
	status := http.StatusOK
	broken := false
	h := server(t, &r, httpstats.ServerConfig{Route: func(*http.Request) string { return "x" }}).Wrap(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			if broken {
				panic(http.ErrAbortHandler)
			}
		}))
	do(h, "GET", "http://a/")
	do(h, "GET", "https://a/")
	do(h, "DELETE", "https://a/")
	for i := range 50 {
		do(h, fmt.Sprint("METHOD", i), "http://a/") // callers choose it
	}
	for _, status = range []int{404, 500, 999} {
		do(h, "GET", "http://a/")
	}
	broken = true
	require.Panics(t, func() { do(h, "GET", "http://a/") })
	got := stats[httpstats.ServerStats](t, &r)["x"]
	require.Equal(t, map[string]uint64{
		"GET false 200": 1, "GET true 200": 1, "DELETE true 200": 1, "_OTHER false 200": 50,
		"GET false 404": 1, "GET false 500": 1, "GET false 999": 1, "GET false 0": 1,
	}, parts(got))
	require.EqualValues(t, 57, got.Duration.Count, "all together")
	for p := range got.Parts() {
		require.NotEmpty(t, p.Method)
		break // one may stop
	}
	require.Empty(t, parts(httpstats.ServerStats{}))
	require.Empty(t, parts(httpstats.ClientStats{}))
}

// A handler between Wrap and the mux that copies the request hides the pattern. What the
// doc of Route says helps.
func TestACopyOfTheRequestHidesThePattern(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
	type key struct{}
	copies := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, 1)))
		})
	}
	var hidden, inside, asked observe.Registry
	for reg, h := range map[*observe.Registry]http.Handler{
		&hidden: server(t, &hidden, httpstats.ServerConfig{}).Wrap(copies(mux)),
		&inside: copies(server(t, &inside, httpstats.ServerConfig{}).Wrap(mux)),
		&asked: server(t, &asked, httpstats.ServerConfig{
			Route: func(r *http.Request) string { _, pattern := mux.Handler(r); return pattern },
		}).Wrap(copies(mux)),
	} {
		do(h, "GET", "/orders/7")
		route := "GET /orders/{id}"
		if reg == &hidden {
			route = httpstats.Unmatched
		}
		require.EqualValues(t, 1, stats[httpstats.ServerStats](t, reg)[route].Requests, route)
	}
}

func BenchmarkServer(b *testing.B) {
	var r observe.Registry
	s, err := httpstats.NewServer(httpstats.ServerConfig{Registry: &r})
	require.NoError(b, err)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(http.ResponseWriter, *http.Request) {})
	req := httptest.NewRequest(http.MethodGet, "/orders/7", nil)
	w := httptest.NewRecorder()
	for name, h := range map[string]http.Handler{"plain": mux, "wrapped": s.Wrap(mux)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, req)
			}
		})
	}
}
