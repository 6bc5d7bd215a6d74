package httpstats

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/observe"
)

// ServerConfig is what a [Server] is made of.
type ServerConfig struct {
	// Registry is where the routes are shown. It is required.
	Registry *observe.Registry

	// Name tells several servers of a program apart: it stands before the routes' names.
	Name string

	// MaxRoutes bounds the number of instruments. 0: 200.
	MaxRoutes int

	// MaxInFlight bounds how many requests of one route are handled at once; more are
	// answered with 503 at once. 0: no bound.
	MaxInFlight int

	// Route returns the route of a request. It must return few different strings. Nil: the
	// pattern of the http.ServeMux that is wrapped, or of the one that called the handler.
	//
	// Where other handlers stand between Wrap and the mux, the pattern is known only when
	// the request has been handled. Until then InFlight, MaxInFlight and the label have it
	// as unmatched. It stays unmatched if one of those handlers passes on a copy of the
	// request, as r.WithContext makes one: the mux writes its pattern into the copy. Then
	// wrap the mux itself, or ask it:
	//
	//	Route: func(r *http.Request) string { _, pattern := mux.Handler(r); return pattern }
	Route func(*http.Request) string
}

// Server counts the requests of a server by route. All methods are safe for
// concurrent use.
type Server struct {
	cfg    ServerConfig
	routes routes[ServerStats, *serverRoute]
}

// serverRoute is one instrument.
type serverRoute struct {
	max                                                  int64
	requests, errors, rejected, panics, aborted, written atomic.Uint64
	responses                                            responses
	inFlight                                             atomic.Int64
	duration                                             observe.Histogram
	parts                                                parts
}

// NewServer returns a server without requests. It returns an error if the Registry is nil, a
// number is negative, or the registry has a server of this Name already.
func NewServer(cfg ServerConfig) (*Server, error) {
	if cfg.MaxInFlight < 0 {
		return nil, fmt.Errorf("httpstats: MaxInFlight is negative: %d", cfg.MaxInFlight)
	}
	s := &Server{cfg: cfg}
	create := func() *serverRoute { return &serverRoute{max: int64(cfg.MaxInFlight)} }
	if err := s.routes.init(cfg.Registry, cfg.Name, cfg.MaxRoutes, create); err != nil {
		return nil, err
	}
	return s, nil
}

// Close takes the routes out of the registry. Handlers go on working. It may be called
// again.
func (s *Server) Close() error {
	s.routes.close()
	return nil
}

// Wrap returns a handler that counts what next does. A panic of next is counted and
// goes on. The ResponseWriter that next gets is a Flusher, a Hijacker and an
// io.ReaderFrom, and http.ResponseController finds the original one.
func (s *Server) Wrap(next http.Handler) http.Handler {
	mux, _ := next.(interface {
		Handler(*http.Request) (http.Handler, string)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := ""
		switch {
		case s.cfg.Route != nil:
			route = s.cfg.Route(r)
		case mux != nil:
			_, route = mux.Handler(r)
		default:
			route = r.Pattern
		}
		if route == "" {
			route = Unmatched
		}
		s.serve(s.routes.of(route), w, r, route, next)
	})
}

func (s *Server) serve(sr *serverRoute, w http.ResponseWriter, r *http.Request, route string, next http.Handler) {
	if n := sr.inFlight.Add(1); sr.max > 0 && n > sr.max {
		sr.inFlight.Add(-1)
		sr.requests.Add(1)
		sr.errors.Add(1)
		sr.rejected.Add(1)
		sr.responses.count(http.StatusServiceUnavailable)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
		return
	}
	rw := &writer{ResponseWriter: w}
	start := time.Now()
	returned := false
	defer func() {
		took := time.Since(start)
		sr.inFlight.Add(-1)
		if route == Unmatched && s.cfg.Route == nil && r.Pattern != "" { // a mux further inside has found it
			sr = s.routes.of(r.Pattern)
		}
		sr.ended(r, rw, took, returned)
		pprof.SetGoroutineLabels(r.Context())
		if !returned {
			if p := recover(); p != nil { // nil: runtime.Goexit
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					sr.aborted.Add(1)
				} else {
					sr.panics.Add(1)
				}
				panic(p)
			}
		}
	}()
	pprof.SetGoroutineLabels(pprof.WithLabels(r.Context(), pprof.Labels("route", route)))
	next.ServeHTTP(rw, r)
	returned = true
}

func (sr *serverRoute) ended(r *http.Request, rw *writer, d time.Duration, returned bool) {
	sr.requests.Add(1) // before its parts, which Stats reads the other way round
	status := rw.status
	if status == 0 {
		status = http.StatusOK // net/http writes it
	}
	if returned || rw.status != 0 {
		sr.responses.count(status)
	}
	if !returned || status >= 500 {
		sr.errors.Add(1)
	}
	sr.written.Add(uint64(rw.written))
	sr.duration.Record(d)
	if !returned {
		status = 0
	}
	sr.parts.of(r.Method, r.TLS != nil, status).Record(d)
}

// Stats returns the figures of one route.
func (sr *serverRoute) Stats() ServerStats {
	s := ServerStats{
		Rejected: sr.rejected.Load(), Panics: sr.panics.Load(),
		Aborted: sr.aborted.Load(), ResponseBytes: sr.written.Load(), Responses: sr.responses.load(),
		InFlight: int(max(sr.inFlight.Load(), 0)), MaxInFlight: int(sr.max), Duration: sr.duration.Latency(),
		parts: &sr.parts,
	}
	s.Errors = sr.errors.Load() // after its parts
	s.Requests = sr.requests.Load()
	return s
}

// Histograms yields the distribution of Duration.
func (sr *serverRoute) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
	return func(yield func(string, func(*observe.Snapshot)) bool) { yield("duration", sr.duration.AddTo) }
}
