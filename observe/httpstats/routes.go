package httpstats

import (
	"errors"
	"fmt"
	"sync"

	"github.com/poundlock/poundlock/observe"
)

// Other is the route of all requests beyond the first MaxRoutes routes, and of those
// whose route cannot be a name.
const Other = "other"

// Unmatched is the route of requests that no pattern matches.
const Unmatched = "unmatched"

const defaultRoutes = 200

// routes holds an instrument per route, and adds it to the registry when the first
// request comes.
type routes[S any, T observe.Source[S]] struct {
	reg    *observe.Registry
	prefix string // of names in the registry
	most   int
	create func() T

	all sync.Map // route to T

	mu      sync.Mutex
	n       int      // routes in all; guarded by mu
	removes []func() // guarded by mu
	closed  bool     // guarded by mu
}

func (r *routes[S, T]) init(reg *observe.Registry, name string, most int, create func() T) error {
	switch {
	case reg == nil:
		return errors.New("httpstats: Registry is nil")
	case most < 0:
		return fmt.Errorf("httpstats: MaxRoutes is negative: %d", most)
	case most == 0:
		most = defaultRoutes
	}
	r.reg, r.most, r.create = reg, most, create
	if name != "" {
		r.prefix = name + " "
	}
	// A name that is taken, or cannot be one, shows here and not at the first request.
	_, err := r.add(Other)
	return err
}

// of returns the instrument of a route.
func (r *routes[S, T]) of(route string) T {
	if t, ok := r.all.Load(route); ok {
		return t.(T)
	}
	t, err := r.add(route)
	if err != nil {
		t, _ = r.add(Other)
	}
	return t
}

var errFull = errors.New("httpstats: MaxRoutes are there")

func (r *routes[S, T]) add(route string) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.all.Load(route); ok {
		return t.(T), nil
	}
	var none T
	if r.n > r.most { // Other is one more
		return none, errFull
	}
	t := r.create()
	if !r.closed {
		remove, err := observe.Add(r.reg, r.prefix+route, observe.Source[S](t))
		if err != nil {
			return none, fmt.Errorf("httpstats: %w", err)
		}
		r.removes = append(r.removes, remove)
	}
	r.n++
	r.all.Store(route, t)
	return t, nil
}

// close takes the instruments out of the registry. They count on.
func (r *routes[S, T]) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, remove := range r.removes {
		remove()
	}
	r.removes = nil
}
