package objpool

import (
	"time"
	"unsafe"

	"github.com/poundlock/poundlock/internal/nocopy"
	"github.com/poundlock/poundlock/internal/rt"
)

// Pool keeps objects for reuse: at most Max of them, for as long as it takes, with
// exact books. Make one with [New]; the zero Pool panics when used.
//
// All methods are safe for concurrent use, also from within the functions of
// [Config]. What happens before a Put of an object happens before the Get that
// returns it. Objects mostly come back newest first, which is good for caches, but no
// order is promised.
type Pool[T any] struct {
	_ nocopy.NoCopy

	// Written by New alone, and so on other cache lines than what visits write.

	hooks[T]
	nilable bool // T has a nil, and it is the first word

	stock[T] // with mu, which guards all below it

	closed bool
	books  books
	idle   idleTrim
}

// New returns an empty pool, or an error that names the field of cfg that is wrong.
func New[T any](cfg Config[T]) (*Pool[T], error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Pool[T]{
		hooks:   hooks[T]{cfg: cfg, dbg: newDebugger(&cfg)},
		nilable: isNilable[T](),
	}
	p.minVisits = minVisits
	p.central.sized = cfg.Size != nil
	p.onGet = cfg.Validate != nil || p.dbg != nil
	p.onPut = cfg.Reset != nil || cfg.Size != nil || p.dbg != nil
	p.mags.init()
	p.setMax(cfg.Max)
	p.idle.bubble = inBubble(time.Now())
	p.books.lastReset = time.Now()
	return p, nil
}

// Get returns a retained object, or a new one if none is in reach: other processors
// may keep up to 16 each to themselves (see the package's documentation). It never
// waits for one and never fails: on a closed pool it returns what New makes.
//
// If New, Validate or OnDiscard panics, so does Get; an object that was being
// looked at is given up.
func (p *Pool[T]) Get() T {
	if pinnedBuild && p.mags.quick.Load()&quickGet != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags.at)) {
			m := p.mags.at[id].Load()
			if s := m.state; s&lenMask != 0 {
				v := m.pop(s)
				rt.Unpin()
				return v
			}
		}
		rt.Unpin()
	}
	return p.getSlow()
}

// TryGet returns a retained object, or false if none is in reach, as Get defines it.
// It never calls New. A false counts as a miss.
func (p *Pool[T]) TryGet() (T, bool) {
	v, ok := p.take(true)
	if ok && p.onGet {
		return p.tryChecked(v)
	}
	return v, ok
}

// Put gives v back and reports whether the pool kept it. It does not if the pool
// retains its Max already (what other processors have reserved for themselves counts),
// is closed, v is nil, or Reset or MaxBytes is against it;
// OnDiscard is then called with v (but not for nil) before Put returns. Objects that
// did not come from the pool are welcome.
//
// After Put the caller must not use v again, kept or not.
func (p *Pool[T]) Put(v T) bool {
	if pinnedBuild && !(p.nilable && isNil(&v)) && p.mags.quick.Load()&quickPut != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags.at)) {
			m := p.mags.at[id].Load()
			if s := m.state; s&lenMask < m.capacity {
				m.push(s, v)
				rt.Unpin()
				return true
			}
		}
		rt.Unpin()
	}
	return p.putSlow(v)
}

// Do calls f with an object from the pool, puts the object back and returns what f
// returned. If f panics or ends the goroutine, the object is discarded, as nobody
// knows its state, and the panic goes on. A nil f panics.
func (p *Pool[T]) Do(f func(T) error) error {
	if f == nil {
		panic("objpool: Do of a nil function")
	}
	v := p.Get()
	returned := false
	defer func() {
		if returned {
			p.Put(v)
		} else {
			p.reject(v, ReasonPanicked)
		}
	}()
	err := f(v)
	returned = true
	return err
}

// isNil reports whether v's first word is 0. T must be nilable.
func isNil[T any](v *T) bool {
	return *(*unsafe.Pointer)(unsafe.Pointer(v)) == nil
}
