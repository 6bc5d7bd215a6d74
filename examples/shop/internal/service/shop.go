package service

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

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
	failures  failures

	ends []func(context.Context) error // of what was made, in that order; run the other way
}

// New opens the shop: it connects to the database and reads the prices. Shutdown ends
// it. It returns the first error, and leaves nothing behind then.
func New(ctx context.Context, cfg Config) (*Shop, error) {
	cfg.setDefaults()
	s := &Shop{cfg: cfg, store: cfg.Store, prices: &prices{}}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Shutdown(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// open makes the parts, each before those that use it. So the parts end after those
// that use them.
func (s *Shop) open(ctx context.Context) (err error) {
	cfg := s.cfg
	if s.see, err = newSight(cfg); err != nil {
		return err
	}
	s.atEnd(s.see.close)
	if cfg.Postgres != "" {
		if s.store, err = openPostgres(ctx, cfg.Postgres, s.see, cfg.Trips); err != nil {
			return err
		}
	}
	s.atEnd(func(context.Context) error { return s.store.Close() })
	if s.ring, err = newRing(cfg.Redis, cfg.RedisTTL, s.see, cfg.Trips); err != nil {
		return err
	}
	s.atEnd(s.ring.pools.Shutdown)
	if s.catalogue, err = newCatalogue(cfg, s.ring, s.store, s.see); err != nil {
		return err
	}
	s.atEnd(s.catalogue.shutdown) // writes what waits to be written
	if err = s.prices.load(ctx, s.store, s.see); err != nil {
		return err
	}
	s.audit = newAudit(cfg.Audit, s.see)
	s.atEnd(s.audit.close)
	pay, err := newPayment(cfg.Payment, s.see)
	if err != nil {
		return err
	}
	s.atEnd(pay.close)
	if s.orders, err = newDesk(s.store, pay, s.prices, s.see); err != nil {
		return err
	}
	s.atEnd(s.orders.write.Shutdown)
	if cfg.Queue != "" {
		s.jobs, err = newNATSQueue(ctx, cfg, jobHandlers(s.orders, cfg.Mails), s.see)
	} else {
		s.jobs, err = newPoolQueue(jobHandlers(s.orders, cfg.Mails), cfg.Log, s.see)
	}
	if err != nil {
		return err
	}
	s.orders.jobs = s.jobs
	s.atEnd(s.jobs.Shutdown) // settles orders
	s.handler = s.routes()
	s.background()
	return s.see.err
}

func (s *Shop) atEnd(f func(context.Context) error) { s.ends = append(s.ends, f) }

// background starts what runs beside the requests.
func (s *Shop) background() {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { s.sweep(ctx) })
	wg.Go(func() { _ = s.see.watcher.Run(ctx) })
	s.atEnd(func(context.Context) error {
		cancel()
		wg.Wait()
		return nil
	})
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

// Shutdown finishes what was accepted and ends everything. The HTTP server must have
// been shut down before. When ctx ends first, the error says what was left undone. It
// may be called again.
func (s *Shop) Shutdown(ctx context.Context) error {
	var errs []error
	for _, end := range slices.Backward(s.ends) {
		errs = append(errs, end(ctx))
	}
	return errors.Join(errs...)
}
