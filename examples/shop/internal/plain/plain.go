package plain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/maypok86/otter/v2"
	"github.com/redis/go-redis/v9"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// Config says what a Shop works with.
type Config struct {
	Postgres string      // URL; "": the store below
	Store    goods.Store // in place of PostgreSQL
	Redis    []string    // addresses
	Payment  string      // URL of the payment service
	Memory   bool        // keeps products in memory, too
	Trips    *goods.Trips
}

// Shop is the service.
type Shop struct {
	store  goods.Store
	redis  *redis.Ring
	memory *otter.Cache[int64, goods.Product] // nil: none
	pay    *payment
	trips  *goods.Trips

	mu     sync.RWMutex
	prices map[int64]int64 // guarded by mu

	keys, products mutexes
	jobs           sync.WaitGroup
	handler        http.Handler
	cancel         context.CancelFunc
}

// New opens the shop.
func New(ctx context.Context, cfg Config) (*Shop, error) {
	if cfg.Trips == nil {
		cfg.Trips = new(goods.Trips)
	}
	s := &Shop{store: cfg.Store, trips: cfg.Trips, pay: newPayment(cfg.Payment)}
	var err error
	if cfg.Postgres != "" {
		if s.store, err = openSQL(ctx, cfg.Postgres, cfg.Trips); err != nil {
			return nil, err
		}
	}
	shards := map[string]string{}
	for i, a := range cfg.Redis {
		shards[fmt.Sprint("shard", i)] = a
	}
	s.redis = redis.NewRing(&redis.RingOptions{
		Addrs: shards, PoolSize: 32, MinIdleConns: 4,
		DialTimeout: time.Second, ReadTimeout: 100 * time.Millisecond, WriteTimeout: 100 * time.Millisecond,
	})
	if cfg.Memory {
		s.memory = otter.Must(&otter.Options[int64, goods.Product]{
			MaximumSize: 10_000, ExpiryCalculator: otter.ExpiryWriting[int64, goods.Product](5 * time.Second),
		})
	}
	if s.prices, err = s.store.Prices(ctx); err != nil {
		return nil, errors.Join(err, s.redis.Close(), s.store.Close())
	}
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.EnableZstd(false))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /products/{id}", s.product)
	mux.HandleFunc("PUT /products/{id}", s.changeProduct)
	mux.HandleFunc("PUT /prices/{id}", s.changePrice)
	mux.HandleFunc("GET /catalogue/{page}", s.page)
	mux.HandleFunc("POST /orders", s.order)
	mux.HandleFunc("GET /orders/{key}", s.receipt)
	s.handler = compress(mux)
	run, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.jobs.Go(func() { s.sweep(run) })
	return s, nil
}

// ServeHTTP serves customers.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Debug serves what the process has used.
func (s *Shop) Debug() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /figures", s.trips)
	return mux
}

// EndStreams has nothing to end.
func (s *Shop) EndStreams() {}

// Shutdown waits for the jobs and closes everything.
func (s *Shop) Shutdown(ctx context.Context) error {
	s.cancel()
	done := make(chan struct{})
	go func() { s.jobs.Wait(); close(done) }()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if s.memory != nil {
		s.memory.StopAllGoroutines()
	}
	s.pay.client.CloseIdleConnections()
	return errors.Join(err, s.redis.Close(), s.store.Close())
}

func (s *Shop) sweep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(8 * time.Second):
		}
		if err := s.store.Sweep(ctx, 30); err != nil && ctx.Err() == nil {
			slog.Warn("sweep", "err", err)
		}
	}
}

func (s *Shop) price(id int64) int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.prices[id]
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func respond(w http.ResponseWriter, status int, v any) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if err := json.NewEncoder(buf).Encode(v); err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes())
}

func fail(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, errBadRequest):
		status = http.StatusBadRequest
	case errors.Is(err, goods.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, goods.ErrBadOrder):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, errDeclined):
		status = http.StatusPaymentRequired
	case errors.Is(err, errShort), errors.Is(err, goods.ErrExpired):
		status = http.StatusConflict
	}
	http.Error(w, err.Error(), status)
}

var errBadRequest = errors.New("bad request")

// request reads the number in the path and, unless v is nil, the body.
func request(w http.ResponseWriter, r *http.Request, name string, v any) (id int64, ok bool) {
	id, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if name != "" && err != nil {
		fail(w, fmt.Errorf("%w: %w", errBadRequest, err))
		return 0, false
	}
	if v != nil {
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(v); err != nil {
			fail(w, fmt.Errorf("%w: %w", errBadRequest, err))
			return 0, false
		}
	}
	return id, true
}
