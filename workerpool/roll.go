package workerpool

import (
	"sync"

	"github.com/poundlock/poundlock/internal/list"
	"github.com/poundlock/poundlock/internal/rt"
)

// roll lists the workers of a pool, and knows which goroutine runs which of its tasks.
// Its mutex is a leaf.
type roll[T any] struct {
	mu         sync.Mutex
	workers    list.List[*worker[T]] // guarded by mu; those that have not ended
	goroutines map[uint64]*worker[T] // guarded by mu; what runs a task, by rt.Goroutine
}

// add enters a new worker.
func (r *roll[T]) add(w *worker[T]) {
	w.place.Value = w
	r.mu.Lock()
	r.workers.PushBack(&w.place)
	r.mu.Unlock()
}

// remove ends what add and bind began.
func (r *roll[T]) remove(w *worker[T]) {
	r.mu.Lock()
	r.unbindLocked(w)
	r.workers.Remove(&w.place)
	r.mu.Unlock()
}

// empty reports whether all workers have ended.
func (r *roll[T]) empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.workers.Len() == 0
}

// running returns what the workers have noted of their tasks.
func (r *roll[T]) running() (rs []*running) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.workers.All() {
		if now := w.now.Load(); now != nil {
			rs = append(rs, now)
		}
	}
	return rs
}

// cancels returns the functions that cancel the tasks which run with a ctx.
func (r *roll[T]) cancels() (all []func(error)) {
	for _, r := range r.running() {
		r.mu.Lock()
		if r.cancel != nil {
			all = append(all, r.cancel)
		}
		r.mu.Unlock()
	}
	return all
}

// bind makes the calling goroutine that of w.
func (r *roll[T]) bind(w *worker[T]) {
	w.goroutine = rt.Goroutine()
	r.mu.Lock()
	if r.goroutines == nil {
		r.goroutines = map[uint64]*worker[T]{}
	}
	w.outer = r.goroutines[w.goroutine]
	r.goroutines[w.goroutine] = w
	r.mu.Unlock()
}

// unbind ends that, before the goroutine ends: another may get its number then.
func (r *roll[T]) unbind(w *worker[T]) {
	r.mu.Lock()
	r.unbindLocked(w)
	r.mu.Unlock()
}

func (r *roll[T]) unbindLocked(w *worker[T]) {
	if w.outer != nil {
		r.goroutines[w.goroutine] = w.outer
		w.outer = nil
	} else {
		delete(r.goroutines, w.goroutine)
	}
}

// self returns what runs one of this pool's tasks on the calling goroutine, else
// nil. It is asked only where a call is about to wait.
func (r *roll[T]) self() *worker[T] {
	id := rt.Goroutine()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.goroutines[id]
}

// inside reports whether the caller is a task on one of the pool's workers, for
// whose end Close, Wait and Pause would wait.
func (r *roll[T]) inside() bool { return r.self().own() != nil }
