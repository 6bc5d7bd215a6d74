package httpstats

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/observe"
)

// ClientConfig is what a [Client] is made of.
type ClientConfig struct {
	// Registry is where the hosts are shown. It is required.
	Registry *observe.Registry

	// Base makes the requests. Nil: http.DefaultTransport.
	Base http.RoundTripper

	// Name tells several clients of a program apart: it stands before the hosts' names.
	Name string

	// MaxRoutes bounds the number of instruments. 0: 200.
	MaxRoutes int

	// Route returns what a request is counted under. It must return few different strings.
	// Nil: its host.
	Route func(*http.Request) string
}

// Client is an http.RoundTripper that counts and times requests by host. All methods are
// safe for concurrent use.
type Client struct {
	cfg    ClientConfig
	routes routes[ClientStats, *clientRoute]
}

// clientRoute is one instrument.
type clientRoute struct {
	requests, errors, timeouts, canceled, connections, reused atomic.Uint64
	responses                                                 responses
	inFlight                                                  atomic.Int64
	dns, connect, tls, firstByte, duration                    observe.Histogram
	parts                                                     parts
}

// NewClient returns a client without requests. It returns an error if the Registry is nil,
// MaxRoutes negative, or the registry has a client of this Name already.
func NewClient(cfg ClientConfig) (*Client, error) {
	if cfg.Base == nil {
		cfg.Base = http.DefaultTransport
	}
	c := &Client{cfg: cfg}
	if err := c.routes.init(cfg.Registry, cfg.Name, cfg.MaxRoutes, func() *clientRoute { return new(clientRoute) }); err != nil {
		return nil, err
	}
	return c, nil
}

// Close takes the hosts out of the registry. Requests go on working. It may be called
// again.
func (c *Client) Close() error {
	c.routes.close()
	return nil
}

// CloseIdleConnections is what http.Client.CloseIdleConnections calls.
func (c *Client) CloseIdleConnections() {
	if b, ok := c.cfg.Base.(interface{ CloseIdleConnections() }); ok {
		b.CloseIdleConnections()
	}
}

// RoundTrip makes a request. It ends, for the statistics, when the body of the answer was
// read to its end or closed, or with an error.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	route := ""
	switch {
	case c.cfg.Route != nil:
		route = c.cfg.Route(r)
	case r.URL != nil:
		route = r.URL.Host
	}
	if route == "" {
		route = Unmatched
	}
	cr := c.routes.of(route)
	call := &call{route: cr, start: time.Now(), method: r.Method, tls: r.URL != nil && r.URL.Scheme == "https"}
	cr.inFlight.Add(1)
	returned := false
	defer func() {
		if !returned { // Base has panicked
			call.end(errPanic, 0)
		}
	}()
	res, err := c.cfg.Base.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), call.trace())))
	returned = true
	if err != nil || res == nil { // http.Client has an error for neither
		call.end(cmp.Or(err, errNothing), 0)
		return res, err
	}
	cr.responses.count(res.StatusCode)
	if res.StatusCode == http.StatusSwitchingProtocols || res.Body == nil {
		call.end(nil, res.StatusCode) // its body is a connection
		return res, nil
	}
	res.Body = &body{ReadCloser: res.Body, call: call, status: res.StatusCode}
	return res, nil
}

var (
	errPanic   = errors.New("httpstats: the RoundTripper panicked")
	errNothing = errors.New("httpstats: the RoundTripper returned neither an answer nor an error")
)

// call is one request.
type call struct {
	route  *clientRoute
	start  time.Time
	method string
	tls    bool
	once   sync.Once
}

// end counts the request before its parts, which Stats reads the other way round, and
// asks methods of err last: they may be the user's, and not return.
func (c *call) end(err error, status int) {
	c.once.Do(func() {
		cr := c.route
		took := time.Since(c.start)
		cr.requests.Add(1)
		cr.inFlight.Add(-1)
		cr.duration.Record(took)
		if err != nil || status >= 500 {
			cr.errors.Add(1)
		}
		if err != nil {
			status = 0
		}
		cr.parts.of(c.method, c.tls, status).Record(took)
		switch {
		case err == nil:
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
			cr.timeouts.Add(1)
		case errors.Is(err, context.Canceled):
			cr.canceled.Add(1)
		}
	})
}

// body ends the call when it is read or closed.
type body struct {
	io.ReadCloser
	call   *call
	status int
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		b.call.end(nil, b.status)
	case err != nil:
		b.call.end(err, b.status)
	}
	return n, err
}

func (b *body) Close() error {
	defer b.call.end(nil, b.status) // also if it panics
	return b.ReadCloser.Close()
}

// Stats returns the figures of one host.
func (cr *clientRoute) Stats() ClientStats {
	s := ClientStats{
		Timeouts: cr.timeouts.Load(), Canceled: cr.canceled.Load(),
		Connections: cr.connections.Load(), Reused: cr.reused.Load(), Responses: cr.responses.load(), InFlight: int(cr.inFlight.Load()),
		DNS: cr.dns.Latency(), Connect: cr.connect.Latency(), TLS: cr.tls.Latency(), FirstByte: cr.firstByte.Latency(), Duration: cr.duration.Latency(),
		parts: &cr.parts,
	}
	s.Errors = cr.errors.Load() // after its parts
	s.Requests = cr.requests.Load()
	return s
}

// Histograms yields the distributions of DNS, Connect, TLS, FirstByte and Duration.
func (cr *clientRoute) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
	return func(yield func(string, func(*observe.Snapshot)) bool) {
		_ = yield("dns", cr.dns.AddTo) && yield("connect", cr.connect.AddTo) && yield("tls", cr.tls.AddTo) &&
			yield("first_byte", cr.firstByte.AddTo) && yield("duration", cr.duration.AddTo)
	}
}
