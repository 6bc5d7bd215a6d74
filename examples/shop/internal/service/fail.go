package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// requestError is the client's fault.
type requestError struct{ error }

func badRequest(err error) error { return requestError{err} }

// fail answers with the status that an error means. Customers read what they did
// wrong; what is wrong with the shop goes to the log, without what they sent.
func (s *Shop) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusServiceUnavailable
	var bad requestError
	switch {
	case errors.As(err, &bad):
		status = http.StatusBadRequest
	case errors.Is(err, goods.ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(err, goods.ErrBadOrder):
		status = http.StatusUnprocessableEntity
	case errors.Is(err, errDeclined):
		status = http.StatusPaymentRequired
	case errors.Is(err, errShort), errors.Is(err, goods.ErrExpired):
		status = http.StatusConflict
	case errors.Is(err, context.Canceled):
		return // the client has left
	default:
		s.failures.log(s.cfg.Log, r.Pattern, status, err)
		w.Header().Set("Retry-After", "1")
		err = errTryAgain
	}
	http.Error(w, err.Error(), status)
}

var errTryAgain = errors.New("shop: not now, try again")

// failures logs what is wrong with the shop, a line a second for each route: a database
// that is down makes a thousand errors a second, all alike.
type failures struct {
	mu     sync.Mutex
	routes map[string]*unlogged // guarded by mu
}

type unlogged struct {
	until  time.Time // no further line before
	errors int
}

func (f *failures) log(to *slog.Logger, route string, status int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.routes[route]
	if u == nil {
		u = new(unlogged)
		if f.routes == nil {
			f.routes = map[string]*unlogged{}
		}
		f.routes[route] = u
	}
	if now := time.Now(); now.Before(u.until) {
		u.errors++
	} else {
		to.Error("request failed", "route", route, "status", status, "err", err, "unlogged_before", u.errors)
		*u = unlogged{until: now.Add(time.Second)}
	}
}
