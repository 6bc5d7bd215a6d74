package service

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/poundlock/poundlock/connpool/health"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
	"github.com/poundlock/poundlock/observe/httpstats"
)

// sight is all that makes the shop visible.
type sight struct {
	reg      *observe.Registry
	err      error // of the first source that could not be added
	http     *httpstats.Server
	page     *debug.Page
	captures *observe.Captures // nil: none
	watcher  *observe.Watcher
	slow     *health.Recorder
	bodies   bodies
}

// add shows a source under a name. An error is kept for New.
func add[S any](see *sight, name string, src observe.Source[S]) {
	_, err := observe.Add(see.reg, name, src)
	see.err = cmp.Or(see.err, err)
}

func addFunc[S any](see *sight, kind, name string, stats func() S) {
	_, err := observe.AddFunc(see.reg, kind, name, stats)
	see.err = cmp.Or(see.err, err)
}

func newSight(cfg Config) (see *sight, err error) {
	see = &sight{reg: new(observe.Registry), slow: newSlow()}
	add(see, "process", new(observe.Runtime))
	if see.bodies, err = newBodies(see); err != nil {
		return nil, err
	}
	if see.http, err = httpstats.NewServer(httpstats.ServerConfig{Registry: see.reg, MaxInFlight: 2000}); err != nil {
		return nil, err
	}
	if cfg.Captures != "" {
		if see.captures, err = observe.NewCaptures(observe.CapturesConfig{Dir: cfg.Captures}); err != nil {
			return nil, err
		}
	}
	see.watcher, err = observe.NewWatcher(observe.WatcherConfig{
		Registry: see.reg, Captures: see.captures, Logger: cfg.Log,
		Rules: []observe.Rule{
			{Name: "slow-requests", When: observe.P99Above("poundlock_httpstats", "", "duration", 500*time.Millisecond), For: 5 * time.Second},
			{Name: "waiting-for-postgres", When: observe.P99Above("poundlock_connpool", "postgres", "wait_time", 100*time.Millisecond), For: 5 * time.Second},
			{Name: "leak", When: observe.LeaksFound(new(observe.LeakWatch))},
		},
	})
	if err != nil {
		return nil, err
	}
	add(see, "watcher", see.watcher)
	see.page, err = debug.New(debug.Config{Registry: see.reg, Captures: see.captures, Title: "shop"})
	return see, err
}

// debug serves the page, the metrics for Prometheus, the slow statements and what the
// process has used.
func (see *sight) debug(trips *goods.Trips) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/debug/poundlock/", see.page)
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", observe.TextType)
		_ = see.reg.WriteText(r.Context(), w)
	})
	mux.Handle("GET /slow", serveSlow(see.slow))
	mux.Handle("GET /figures", trips)
	mux.Handle("/", http.RedirectHandler("/debug/poundlock/", http.StatusFound))
	return mux
}

func (see *sight) close(context.Context) error {
	var err error
	if see.captures != nil {
		err = see.captures.Close()
	}
	return errors.Join(err, see.page.Close(), see.http.Close(), see.bodies.Close())
}
