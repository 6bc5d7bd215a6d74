// Package bare answers the shop's routes with what is always the same: what it costs is
// what HTTP itself costs, and no shop costs less.
package bare

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// Shop serves answers of the usual size, made once. It looks nothing up, keeps nothing
// and compresses nothing.
type Shop struct {
	mux   http.ServeMux
	trips goods.Trips
}

// New returns a Shop.
func New() *Shop {
	s := new(Shop)
	var page []goods.Product
	for _, id := range goods.Page(0) {
		page = append(page, goods.Sample(id))
	}
	s.always("GET /products/{id}", http.StatusOK, page[0])
	s.always("GET /catalogue/{page}", http.StatusOK, page)
	s.always("POST /orders", http.StatusCreated, goods.Receipt{Key: "load-1764240000000000000-1", Cents: 1000})
	s.always("PUT /prices/{id}", http.StatusNoContent, nil)
	return s
}

func (s *Shop) always(route string, status int, answer any) {
	var body []byte
	if answer != nil {
		body, _ = json.Marshal(answer) // goods' types can be
	}
	s.mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if body != nil {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	})
}

// ServeHTTP serves customers.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Debug serves what the process has used.
func (s *Shop) Debug() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /figures", &s.trips)
	return mux
}

// EndStreams has nothing to end.
func (s *Shop) EndStreams() {}

// Shutdown has nothing to finish.
func (s *Shop) Shutdown(context.Context) error { return nil }
