package debug_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
)

// events calls see for each event of a stream until it returns false.
func events(t *testing.T, url string, see func(name, data string) bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	in, name := bufio.NewReader(res.Body), ""
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if n, ok := strings.CutPrefix(line, "event: "); ok {
			name = strings.TrimSpace(n)
		}
		if d, ok := strings.CutPrefix(line, "data: "); ok && !see(name, d) {
			return
		}
	}
}

func TestTheStream(t *testing.T) {
	r := registry(t)
	n := atomic.Uint64{}
	_, err := observe.AddFunc(r, "odd", `a<b>&'`, func() (s struct {
		A float64
		B uint64
	},
	) {
		s.A, s.B = math.NaN(), n.Add(1)
		return s
	})
	require.NoError(t, err)
	p := open(t, debug.Config{Registry: r, Interval: time.Millisecond, Title: "shop"})
	srv := httptest.NewUnstartedServer(p)
	srv.Config.WriteTimeout = 20 * time.Millisecond // a stream outlives it
	srv.Start()
	defer srv.Close()
	var names []string
	start := time.Now()
	events(t, srv.URL+"/events", func(name, data string) bool {
		if len(names) < 3 {
			names = append(names, name)
		}
		require.True(t, json.Valid([]byte(data)), data)
		switch name {
		case "schema":
			require.Contains(t, data, `"title":"shop"`)
			require.NotContains(t, data, "<b>")
		case "tick":
			require.Contains(t, data, `"v":[null,`, "what is no number is none")
		}
		return time.Since(start) < 100*time.Millisecond
	})
	require.Equal(t, []string{"schema", "tick", "tick"}, names)

	names = nil
	events(t, srv.URL+"/events", func(name, data string) bool {
		names = append(names, name)
		if name == "history" {
			var h []any
			require.NoError(t, json.Unmarshal([]byte(data), &h))
			require.NotEmpty(t, h, "who comes back finds what he saw")
			require.LessOrEqual(t, len(h), 60)
		}
		return len(names) < 4
	})
	require.Equal(t, []string{"schema", "history", "tick", "tick"}, names)
}

// An instrument that cannot be read for a moment does not cost the page its history.
func TestASourceThatFailsForAMoment(t *testing.T) {
	r := new(observe.Registry)
	n := atomic.Uint64{}
	_, err := observe.AddFunc(r, "app", "x", func() stats {
		if n.Add(1) == 3 {
			panic("ouch")
		}
		return stats{}
	})
	require.NoError(t, err)
	srv := httptest.NewServer(open(t, debug.Config{Registry: r, Interval: time.Millisecond}))
	defer srv.Close()
	var schemas, ticks, bad int
	events(t, srv.URL+"/events", func(name, data string) bool {
		switch name {
		case "schema":
			schemas++
		case "tick":
			ticks++
			if strings.Contains(data, "ouch") {
				bad++
			}
		}
		return ticks < 6
	})
	require.Equal(t, 1, schemas)
	require.Equal(t, 1, bad)
}

// sampled says how often a registry was read.
func sampled(r *observe.Registry) uint64 { return r.Stats().Reads }

// quiet is a client that takes what it gets.
type quiet struct {
	http.ResponseWriter
	header http.Header
}

func (q quiet) Header() http.Header       { return q.header }
func (quiet) WriteHeader(int)             {}
func (quiet) Write(p []byte) (int, error) { return len(p), nil }
func (quiet) Flush()                      {}

func TestSamplingIsForThoseWhoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registry(t)
		p, err := debug.New(debug.Config{Registry: r})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.Zero(t, sampled(r))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		look := func() {
			wg.Go(func() {
				p.ServeHTTP(quiet{header: http.Header{}}, httptest.NewRequest("GET", "/events", nil).WithContext(ctx))
			})
		}
		look()
		look()
		time.Sleep(10*time.Second + 1)
		require.EqualValues(t, 11, sampled(r), "once a second for all")
		cancel()
		wg.Wait()
		time.Sleep(30 * time.Second)
		require.EqualValues(t, 41, sampled(r), "a reload keeps its history")
		time.Sleep(time.Hour)
		require.LessOrEqual(t, sampled(r), uint64(73))
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		before := sampled(r)
		look()
		time.Sleep(5 * time.Second)
		require.Greater(t, sampled(r), before+3, "and begins anew")
		require.NoError(t, p.Close())
		wg.Wait()
		require.NoError(t, p.Close())
		require.Equal(t, 503, get(p, "GET", "/events").StatusCode)
		require.Equal(t, 200, get(p, "GET", "/metrics").StatusCode)
	})
}

func TestAlways(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registry(t)
		p, err := debug.New(debug.Config{Registry: r, Always: true})
		require.NoError(t, err)
		time.Sleep(time.Hour + 1)
		require.EqualValues(t, 3601, sampled(r))
		require.NoError(t, p.Close())
	})
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := debug.New(debug.Config{Registry: registry(t)})
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() { p.ServeHTTP(quiet{header: http.Header{}}, httptest.NewRequest("GET", "/events", nil)) })
		}
		synctest.Wait()
		require.Equal(t, 503, get(p, "GET", "/events").StatusCode)
		require.NoError(t, p.Close())
		wg.Wait()
	})
}

// stuck is a client that does not read.
type stuck struct {
	quiet
	wait chan struct{}
}

func (s stuck) Write([]byte) (int, error) { <-s.wait; return 0, errors.New("gone") }

func TestASlowClientHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := registry(t)
		p, err := debug.New(debug.Config{Registry: r})
		require.NoError(t, err)
		s := stuck{quiet{header: http.Header{}}, make(chan struct{})}
		var wg sync.WaitGroup
		wg.Go(func() { p.ServeHTTP(s, httptest.NewRequest("GET", "/events", nil)) })
		time.Sleep(20 * time.Second)
		require.GreaterOrEqual(t, sampled(r), uint64(20))
		for i := range 10 { // each makes a new schema
			_, err := observe.AddFunc(r, "app", fmt.Sprint(i), func() stats { return stats{} })
			require.NoError(t, err)
			time.Sleep(2 * time.Second)
		}
		close(s.wait)
		wg.Wait()
		require.NoError(t, p.Close())
	})
}

// hostile is a client, of somebody's middleware, whose writes do not return.
type hostile struct {
	quiet
	does func()
}

func (h hostile) Write([]byte) (int, error) { h.does(); return 0, nil }

// A client whose writes panic or end the goroutine leaves its place to others, and the
// sampling ends when nobody is left.
func TestAClientThatPanics(t *testing.T) {
	for what, does := range map[string]func(){"panic": func() { panic("ouch") }, "Goexit": runtime.Goexit} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := registry(t)
				p, err := debug.New(debug.Config{Registry: r})
				require.NoError(t, err)
				var wg sync.WaitGroup
				for range 100 { // 64 may look
					wg.Go(func() {
						defer func() { _ = recover() }() // as net/http does
						p.ServeHTTP(hostile{quiet{header: http.Header{}}, does}, httptest.NewRequest("GET", "/events", nil))
					})
					wg.Wait()
				}
				w := watch(t, p, nil)
				time.Sleep(5 * time.Second)
				require.GreaterOrEqual(t, len(w.leave()), 5)
				time.Sleep(2 * time.Minute)
				before := sampled(r)
				time.Sleep(time.Hour)
				require.Equal(t, before, sampled(r), "nobody looks")
				require.NoError(t, p.Close())
			})
		})
	}
}

func TestAServerShutsDownWhileSomebodyLooks(t *testing.T) {
	p := open(t, debug.Config{})
	srv := &http.Server{Handler: p}
	srv.RegisterOnShutdown(func() { _ = p.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error)
	go func() { served <- srv.Serve(l) }()
	shut := make(chan error)
	events(t, "http://"+l.Addr().String()+"/events", func(string, string) bool {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			shut <- srv.Shutdown(ctx)
		}()
		return false
	})
	require.NoError(t, <-shut)
	require.ErrorIs(t, <-served, http.ErrServerClosed)
	http.DefaultClient.CloseIdleConnections()
}
