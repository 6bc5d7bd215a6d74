package plain

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

const redisTTL = time.Minute

// get finds a product in memory, in Redis, or in the database.
func (s *Shop) get(ctx context.Context, id int64) (p goods.Product, err error) {
	if s.memory != nil {
		if p, ok := s.memory.GetIfPresent(id); ok {
			return p, nil
		}
		defer func() {
			if err == nil {
				s.memory.Set(id, p)
			}
		}()
	}
	s.trips.Commands.Add(1)
	text, err := s.redis.Get(ctx, goods.CacheKey(id)).Bytes()
	if err == nil && json.Unmarshal(text, &p) == nil {
		return p, nil
	}
	found, err := s.store.Load(ctx, []int64{id})
	if err != nil {
		return p, err
	}
	if len(found) == 0 {
		return p, goods.ErrNotFound
	}
	s.cache(ctx, found[0])
	return found[0], nil
}

func (s *Shop) cache(ctx context.Context, p goods.Product) {
	p.Cents = 0
	if text, err := json.Marshal(p); err == nil {
		s.trips.Commands.Add(1)
		_ = s.redis.Set(ctx, goods.CacheKey(p.ID), text, redisTTL).Err()
	}
}

func (s *Shop) product(w http.ResponseWriter, r *http.Request) {
	id, ok := request(w, r, "id", nil)
	if !ok {
		return
	}
	p, err := s.get(r.Context(), id)
	if err != nil {
		fail(w, err)
		return
	}
	p.Cents = s.price(id)
	respond(w, http.StatusOK, p)
}

// page asks Redis for all of a page's products in one pipeline, and the database for
// what is missing in one statement: that much everybody does.
func (s *Shop) page(w http.ResponseWriter, r *http.Request) {
	n, ok := request(w, r, "page", nil)
	if !ok {
		return
	}
	products, err := s.many(r.Context(), goods.Page(n))
	if err != nil {
		fail(w, err)
		return
	}
	for i := range products {
		products[i].Cents = s.price(products[i].ID)
	}
	respond(w, http.StatusOK, products)
}

func (s *Shop) many(ctx context.Context, ids []int64) ([]goods.Product, error) {
	found := map[int64]goods.Product{}
	var missing []int64
	for _, id := range ids {
		if s.memory != nil {
			if p, ok := s.memory.GetIfPresent(id); ok {
				found[id] = p
				continue
			}
		}
		missing = append(missing, id)
	}
	if len(missing) > 0 {
		s.trips.Commands.Add(1)
		pipe := s.redis.Pipeline()
		for _, id := range missing {
			pipe.Get(ctx, goods.CacheKey(id))
		}
		answers, _ := pipe.Exec(ctx)
		var cold []int64
		for i, id := range missing {
			var p goods.Product
			text, err := answers[i].(interface{ Bytes() ([]byte, error) }).Bytes()
			if err != nil || json.Unmarshal(text, &p) != nil {
				cold = append(cold, id)
				continue
			}
			found[id] = p
		}
		if len(cold) > 0 {
			loaded, err := s.store.Load(ctx, cold)
			if err != nil {
				return nil, err
			}
			s.trips.Commands.Add(1)
			pipe := s.redis.Pipeline()
			for _, p := range loaded {
				found[p.ID] = p
				p.Cents = 0
				if text, err := json.Marshal(p); err == nil {
					pipe.Set(ctx, goods.CacheKey(p.ID), text, redisTTL)
				}
			}
			_, _ = pipe.Exec(ctx)
		}
	}
	products := make([]goods.Product, 0, len(ids))
	for _, id := range ids {
		if p, ok := found[id]; ok {
			products = append(products, p)
			if s.memory != nil {
				s.memory.Set(id, p)
			}
		}
	}
	return products, nil
}

func (s *Shop) changeProduct(w http.ResponseWriter, r *http.Request) {
	var p goods.Product
	id, ok := request(w, r, "id", &p)
	if !ok {
		return
	}
	if _, err := s.get(r.Context(), id); err != nil {
		fail(w, err)
		return
	}
	p.ID, p.Version = id, time.Now().UnixMicro()
	if err := s.store.Save(r.Context(), []goods.Product{p}); err != nil {
		fail(w, err)
		return
	}
	s.cache(r.Context(), p)
	if s.memory != nil {
		s.memory.Set(id, p)
	}
	s.jobs.Go(func() { _, _ = goods.Thumbnail(id) })
	w.WriteHeader(http.StatusNoContent)
}

func (s *Shop) changePrice(w http.ResponseWriter, r *http.Request) {
	var p goods.Product
	id, ok := request(w, r, "id", &p)
	if !ok {
		return
	}
	if p.Cents <= 0 {
		fail(w, errBadRequest)
		return
	}
	if err := s.store.SetPrice(r.Context(), id, p.Cents); err != nil {
		fail(w, err)
		return
	}
	s.mu.Lock()
	s.prices[id] = p.Cents
	s.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (s *Shop) receipt(w http.ResponseWriter, r *http.Request) {
	o, err := s.store.Order(r.Context(), r.PathValue("key"))
	if err != nil {
		fail(w, err)
		return
	}
	respond(w, http.StatusOK, o)
}

// mutexes is a mutex per key, kept while somebody has or wants it.
type mutexes struct {
	mu   sync.Mutex
	keys map[any]*counted
}

type counted struct {
	sync.Mutex
	users int
}

func (m *mutexes) lock(key any) (unlock func()) {
	m.mu.Lock()
	c := m.keys[key]
	if c == nil {
		if m.keys == nil {
			m.keys = map[any]*counted{}
		}
		c = new(counted)
		m.keys[key] = c
	}
	c.users++
	m.mu.Unlock()
	c.Lock()
	return func() {
		c.Unlock()
		m.mu.Lock()
		defer m.mu.Unlock()
		if c.users--; c.users == 0 {
			delete(m.keys, key)
		}
	}
}

var errShort = errors.New("out of stock")
