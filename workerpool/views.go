package workerpool

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// views is the views of a pool that have tasks or submitters of their own, for the pool's
// end, and a count of those tasks. Its mutex comes after gate.mu and is a leaf.
type views[T any] struct {
	held   atomic.Int64 // tasks accepted by views that are not in the pool's queue yet
	closed atomic.Bool  // new tasks are refused; set under mu, in one step with the look at set

	mu  sync.Mutex
	set map[*gate[T]]struct{} // guarded by mu
}

// add makes Close and Shutdown see to the tasks of v. It returns false after close.
func (vs *views[T]) add(v *gate[T]) bool {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.closed.Load() {
		return false
	}
	if vs.set == nil {
		vs.set = map[*gate[T]]struct{}{}
	}
	vs.set[v] = struct{}{}
	return true
}

// remove ends that.
func (vs *views[T]) remove(v *gate[T]) {
	vs.mu.Lock()
	delete(vs.set, v)
	vs.mu.Unlock()
}

// close lets no more views in and returns those that there are. Both are one step: a view
// that sees closed lets in none of its waiting submitters, and leaves, so it must have
// been seen here to refuse them.
func (vs *views[T]) close() []*gate[T] {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	vs.closed.Store(true)
	return slices.Collect(maps.Keys(vs.set))
}

// all returns those that there are.
func (vs *views[T]) all() []*gate[T] {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	return slices.Collect(maps.Keys(vs.set))
}
