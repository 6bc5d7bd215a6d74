package objpool

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/poundlock/poundlock/internal/nocopy"
)

// Source is what a [Registry] holds: a *[Pool] of any T, *[Bytes], *[Buffers], or
// whatever else can answer.
type Source interface {
	// Stats returns what the source has done.
	Stats() Stats
	// Clear drops what the source retains and returns how many objects that were.
	Clear() int
}

// Registry finds pools by name and looks at all of them together. The zero value is
// empty and ready. All methods are safe for concurrent use.
//
// A registry keeps its pools alive until they are unregistered.
type Registry struct {
	_ nocopy.NoCopy

	mu    sync.RWMutex
	pools map[string]Source // guarded by mu
}

// Register adds a pool under a name. It returns an error that wraps [ErrDuplicate]
// if the name is taken; an empty name and a nil pool, of whatever type, are errors too.
func (r *Registry) Register(name string, s Source) error {
	switch {
	case name == "":
		return errors.New("objpool: Register with an empty name")
	case isNilSource(s):
		return fmt.Errorf("objpool: Register of a nil pool as %q", name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pools[name] != nil {
		return fmt.Errorf("%w: %q", ErrDuplicate, name)
	}
	if r.pools == nil {
		r.pools = make(map[string]Source)
	}
	r.pools[name] = s
	return nil
}

// isNilSource reports whether s is nil or holds a nil pointer, function or the like,
// whose methods would panic.
func isNilSource(s Source) bool {
	if s == nil {
		return true
	}
	switch v := reflect.ValueOf(s); v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}

// Lookup returns the pool of that name, or false. [LookupPool] returns it as a Pool
// of the type that it has.
func (r *Registry) Lookup(name string) (Source, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, ok := r.pools[name]
	return s, ok
}

// LookupPool returns the pool of that name in r. It returns [ErrNotFound], wrapped,
// for an unknown name, and an error that names both types if it is not a pool of T.
func LookupPool[T any](r *Registry, name string) (*Pool[T], error) {
	s, ok := r.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNotFound, name)
	}
	p, ok := s.(*Pool[T])
	if !ok {
		return nil, fmt.Errorf("objpool: %q is a %T, not a %T", name, s, p)
	}
	return p, nil
}

// Unregister removes the name and reports whether it was there. The pool itself goes
// on.
func (r *Registry) Unregister(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.pools[name]
	delete(r.pools, name)
	return ok
}

// Names returns all names in order.
func (r *Registry) Names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.pools))
}

// Stats returns the snapshots of all pools by name. Each is consistent; they are
// taken one after the other.
func (r *Registry) Stats() map[string]Stats {
	all := make(map[string]Stats)
	for name, s := range r.all() {
		all[name] = s.Stats()
	}
	return all
}

// ClearAll clears all pools and returns how many objects were discarded. If one of them
// panics, the others are cleared before ClearAll does.
func (r *Registry) ClearAll() int {
	all := slices.Collect(maps.Values(r.all()))
	n := 0
	discardEach(all, func(s Source) { n += s.Clear() }, clearRest)
	return n
}

func clearRest(all []Source) {
	discardEach(all, func(s Source) {
		defer func() { _ = recover() }()
		s.Clear()
	}, clearRest)
}

// all returns a copy, so that no pool is called under the lock.
func (r *Registry) all() map[string]Source {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return maps.Clone(r.pools)
}
