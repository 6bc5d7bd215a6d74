package jetstream

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
)

// inside knows which goroutines run functions of the user for which a Close would wait. The
// zero value is ready to use.
type inside struct {
	n   atomic.Int32 // of all: so that a Publish looks no further where nobody is inside
	mu  sync.Mutex
	all map[uint64]context.Context // guarded by mu; what they were given, by rt.Goroutine
}

// enter makes the calling goroutine one of them, with the ctx that its function is given.
// leave must be deferred: the goroutine may end in that function.
func (i *inside) enter(ctx context.Context) (leave func()) {
	id := rt.Goroutine()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.all == nil {
		i.all = map[uint64]context.Context{}
	}
	i.all[id] = ctx
	i.n.Store(int32(len(i.all)))
	return func() {
		i.mu.Lock()
		delete(i.all, id)
		i.n.Store(int32(len(i.all)))
		i.mu.Unlock()
	}
}

// ctx returns what the calling goroutine entered with, or nil.
func (i *inside) ctx() context.Context {
	if i.n.Load() == 0 {
		return nil
	}
	id := rt.Goroutine()
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.all[id]
}
