package service

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// routes puts the routes together. Each is counted by itself, inside of the mux, which
// has to find it only once then.
func (s *Shop) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, handle := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /healthz":          func(http.ResponseWriter, *http.Request) error { return nil },
		"GET /products/{id}":    s.product,
		"PUT /products/{id}":    s.changeProduct,
		"PUT /prices/{id}":      s.changePrice,
		"GET /catalogue/{page}": s.page,
		"POST /orders":          s.order,
		"GET /orders/{key}":     s.receipt,
	} {
		mux.Handle(pattern, s.see.http.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				s.fail(w, r, err)
			}
		})))
	}
	return mux
}

// pathID is the number at the end of a path.
func pathID(r *http.Request, name string) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue(name), 10, 64)
	if err != nil || id < 0 {
		return 0, badRequest(fmt.Errorf("%s: not a number: %q", name, r.PathValue(name)))
	}
	return id, nil
}

// decode reads the body of a request into v.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(v); err != nil {
		return badRequest(err)
	}
	return nil
}

func (s *Shop) product(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "id")
	if err != nil {
		return err
	}
	e, err := s.catalogue.get(r.Context(), id)
	if err != nil {
		return err
	}
	return s.see.bodies.send(w, r, http.StatusOK, func(b *bytes.Buffer) { e.appendTo(b, s.prices.get(id)) })
}

// page answers with the products of a page that exist; those beyond the last page do not.
func (s *Shop) page(w http.ResponseWriter, r *http.Request) error {
	n, err := pathID(r, "page")
	if err != nil {
		return err
	}
	entries, err := s.catalogue.getMany(r.Context(), goods.Page(n))
	if err != nil {
		return err
	}
	return s.see.bodies.send(w, r, http.StatusOK, func(b *bytes.Buffer) {
		b.WriteByte('[')
		for i, e := range entries {
			if i > 0 {
				b.WriteByte(',')
			}
			e.appendTo(b, s.prices.get(e.id))
		}
		b.WriteByte(']')
	})
}

// change reads a request that changes a product.
func change(w http.ResponseWriter, r *http.Request) (p goods.Product, err error) {
	id, err := pathID(r, "id")
	if err == nil {
		err = decode(w, r, &p)
	}
	p.ID = id
	return p, err
}

// changeProduct changes name and text, and has a new thumbnail drawn.
func (s *Shop) changeProduct(w http.ResponseWriter, r *http.Request) error {
	p, err := change(w, r)
	if err != nil {
		return err
	}
	if err := s.catalogue.change(r.Context(), p); err != nil {
		return err
	}
	s.audit.add("product", r.PathValue("id"))
	// A thumbnail that nobody has drawn within a minute is drawn at the next change.
	err = s.jobs.Put(r.Context(), Job{Kind: "thumbnail", ID: p.ID, Within: time.Minute})
	if err != nil && !errors.Is(err, ErrQueueFull) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Shop) changePrice(w http.ResponseWriter, r *http.Request) error {
	p, err := change(w, r)
	if err != nil {
		return err
	}
	if p.Cents <= 0 {
		return badRequest(errors.New("cents: above 0"))
	}
	if err := s.store.SetPrice(r.Context(), p.ID, p.Cents); err != nil {
		return err
	}
	s.prices.set(p.ID, p.Cents)
	s.audit.add("price", r.PathValue("id"))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Shop) order(w http.ResponseWriter, r *http.Request) error {
	var o goods.Order
	if err := decode(w, r, &o); err != nil {
		return err
	}
	if err := o.Valid(); err != nil {
		return badRequest(err)
	}
	o, fresh, err := s.orders.place(r.Context(), o)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if fresh {
		status = http.StatusCreated
		s.audit.add("order", o.Key)
	}
	return s.see.bodies.sendJSON(w, r, status, goods.Receipt{Key: o.Key, Cents: o.Cents})
}

func (s *Shop) receipt(w http.ResponseWriter, r *http.Request) error {
	o, err := s.store.Order(r.Context(), r.PathValue("key"))
	if err != nil {
		return err
	}
	return s.see.bodies.sendJSON(w, r, http.StatusOK, o)
}
