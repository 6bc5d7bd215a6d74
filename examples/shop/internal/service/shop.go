package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// Config says what a Shop works with. Payment and Redis are required.
type Config struct {
	Postgres string       // URL; "": the store below
	Store    goods.Store  // in place of PostgreSQL
	Redis    []string     // addresses, over which products are spread
	Payment  string       // URL of the payment service, without a path
	Write    Policy       // how changes of products go through the cache
	Trips    *goods.Trips // counts statements and commands; nil: nobody asks

	MemorySize int           // products kept in memory. 0: 10 000
	MemoryTTL  time.Duration // for how long. 0: 5 s
	RedisTTL   time.Duration // how long Redis keeps a product. 0: 1 min
	Hold       time.Duration // how long goods stay reserved for an order that does not come. 0: 30 s

	Audit    io.Writer // gets the audit log, a line each. Nil: nobody
	Captures string    // directory for profiles. "": none are taken
	Log      *slog.Logger
}

// Shop is the service. It is safe for concurrent use.
type Shop struct {
	cfg       Config
	see       *sight
	store     goods.Store
	ring      *ring
	catalogue *catalogue
	prices    *prices
	orders    *desk
	jobs      Queue
	audit     *audit
	handler   http.Handler

	cancel context.CancelFunc // ends the sweeper and the watcher
	wg     sync.WaitGroup
}

// New opens the shop: it connects to the database and reads the prices. Close or
// Shutdown ends it. It returns the first error, and leaves nothing behind then.
func New(ctx context.Context, cfg Config) (s *Shop, err error) {
	cfg.setDefaults()
	s = &Shop{cfg: cfg, store: cfg.Store, prices: &prices{}}
	run, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Shutdown(context.WithoutCancel(ctx)))
			s = nil
		}
	}()
	if s.see, err = newSight(cfg); err != nil {
		return s, err
	}
	if cfg.Postgres != "" {
		if s.store, err = openPostgres(ctx, cfg.Postgres, s.see, cfg.Trips); err != nil {
			return s, err
		}
	}
	if s.ring, err = newRing(cfg.Redis, cfg.RedisTTL, s.see, cfg.Trips); err != nil {
		return s, err
	}
	if s.catalogue, err = newCatalogue(cfg, s.ring, s.store, s.see); err != nil {
		return s, err
	}
	if err = s.prices.load(ctx, s.store, s.see); err != nil {
		return s, err
	}
	s.audit = newAudit(cfg.Audit, s.see)
	pay, err := newPayment(cfg.Payment, s.see)
	if err != nil {
		return s, err
	}
	if s.orders, err = newDesk(s.store, pay, s.prices, s.see); err != nil {
		return s, err
	}
	if s.jobs, err = newJobs(s.orders, cfg.Log, s.see); err != nil {
		return s, err
	}
	s.orders.jobs = s.jobs
	if s.handler, err = s.routes(); err != nil {
		return s, err
	}
	if err = s.see.err; err != nil {
		return s, fmt.Errorf("shop: %w", err)
	}
	s.wg.Go(func() { s.sweep(run) })
	s.wg.Go(func() { s.see.watch(run) })
	return s, nil
}

func (cfg *Config) setDefaults() {
	if cfg.Trips == nil {
		cfg.Trips = new(goods.Trips)
	}
	if cfg.MemorySize == 0 {
		cfg.MemorySize = 10_000
	}
	if cfg.MemoryTTL == 0 {
		cfg.MemoryTTL = 5 * time.Second
	}
	if cfg.RedisTTL == 0 {
		cfg.RedisTTL = time.Minute
	}
	if cfg.Hold == 0 {
		cfg.Hold = 30 * time.Second
	}
	if cfg.Audit == nil {
		cfg.Audit = io.Discard
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
}

// ServeHTTP serves customers.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Debug returns the handler of the inside: keep it off public addresses.
func (s *Shop) Debug() http.Handler { return s.see.debug(s.cfg.Trips) }

// EndStreams ends the debug page's streams, for which a server's Shutdown would wait.
func (s *Shop) EndStreams() { _ = s.see.page.Close() }

// sweep puts goods back that were reserved for orders that never came, such as those
// of a process that was killed.
func (s *Shop) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.cfg.Hold / 4):
		}
		if err := s.store.Sweep(ctx, max(1, int(s.cfg.Hold.Seconds()))); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("sweep", "err", err)
		}
	}
}

// Shutdown finishes what was accepted and ends everything, in the reverse order of
// what feeds what. The HTTP server must have been shut down before. When ctx ends
// first, the error says what was left undone. It may be called again.
func (s *Shop) Shutdown(ctx context.Context) error {
	var errs []error
	s.cancel()
	s.wg.Wait()
	if s.jobs != nil { // settle orders, so before the desk's database
		errs = append(errs, s.jobs.Shutdown(ctx))
	}
	if s.orders != nil {
		errs = append(errs, s.orders.shutdown(ctx))
	}
	if s.catalogue != nil { // writes what waits to be written
		errs = append(errs, s.catalogue.shutdown(ctx))
	}
	if s.audit != nil {
		errs = append(errs, s.audit.close())
	}
	if s.ring != nil {
		errs = append(errs, s.ring.close(ctx))
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.see != nil {
		errs = append(errs, s.see.close())
	}
	return errors.Join(errs...)
}
