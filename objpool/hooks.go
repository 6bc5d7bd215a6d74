package objpool

import (
	"fmt"
	"reflect"

	"github.com/poundlock/poundlock/internal/rt"
)

// hooks are the functions that the user gave, and Debug.
type hooks[T any] struct {
	cfg Config[T]
	dbg *debugger[T] // nil without Debug
}

// getSlow is Get where the fast path found nothing.
func (p *Pool[T]) getSlow() T {
	if pinnedBuild && p.mags.stripes == nil && !p.onGet { // Get looked into the magazine
		if v, ok := p.takeCentral(false); ok {
			return v
		}
		return p.makeNew()
	}
	v, ok := p.take(false)
	switch {
	case !ok:
		return p.makeNew()
	case p.onGet:
		return p.getChecked(v)
	}
	return v
}

// getChecked goes on with Get once v was taken out.
func (p *Pool[T]) getChecked(v T) T {
	for !p.admit(v) {
		var ok bool
		if v, ok = p.take(false); !ok {
			return p.makeNew()
		}
	}
	return v
}

// tryChecked is getChecked for TryGet.
func (p *Pool[T]) tryChecked(v T) (T, bool) {
	for !p.admit(v) {
		var ok bool
		if v, ok = p.take(true); !ok {
			return v, false
		}
	}
	return v, true
}

// makeNew calls New for a Get whose miss is counted.
func (p *Pool[T]) makeNew() T {
	made := false
	defer func() {
		if !made {
			p.mu.Lock()
			p.books.notMade++
			p.mu.Unlock()
		}
	}()
	v := p.cfg.New()
	made = true
	return v
}

// admit reports whether Get may return v, which was taken out. If not, v is
// discarded.
func (p *Pool[T]) admit(v T) (ok bool) {
	defer func() { // also if Validate panics or ends the goroutine
		p.decide(ok)
		if !ok {
			p.discarded(v, ReasonInvalid)
		}
	}()
	if p.dbg != nil && !p.dbg.leave(v) {
		return false
	}
	return p.cfg.Validate == nil || p.cfg.Validate(v)
}

// decide counts what became of an object that Validate or Debug looked at.
func (p *Pool[T]) decide(ok bool) {
	if pinnedBuild && p.mags.stripes == nil {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags.at)) {
			if m := p.mags.at[id].Load(); m != p.mags.none {
				n := &m.passed
				if !ok {
					n = &m.failed
				}
				n.Store(n.Load() + 1)
				rt.Unpin()
				return
			}
		}
		rt.Unpin()
	}
	p.mu.Lock()
	if ok {
		p.books.passed++
	} else {
		p.books.failed++
	}
	p.mu.Unlock()
}

// putSlow is Put where the fast path could not keep v.
func (p *Pool[T]) putSlow(v T) bool {
	switch {
	case p.nilable && isNil(&v):
		p.count(ReasonNil)
		return false
	case p.onPut:
		return p.putChecked(v)
	case pinnedBuild && p.mags.stripes == nil: // Put looked into the magazine
		return p.putOrRefuse(v, 0)
	}
	return p.put(v, 0)
}

// putChecked is Put with hooks.
func (p *Pool[T]) putChecked(v T) bool {
	if p.dbg != nil && !p.dbg.mayEnter(v) {
		p.count(ReasonMisused)
		p.dbg.reportDoublePut(v)
		return false
	}
	v, n, ok := p.reset(v)
	if !ok {
		return false
	}
	if p.dbg != nil && !p.dbg.enter(v) {
		p.count(ReasonMisused)
		p.dbg.reportDoublePut(v)
		return false
	}
	return p.put(v, n)
}

// reset applies Reset and Size. If it returns false, the object is discarded: what Put
// was given, or what Reset put in its place.
func (p *Pool[T]) reset(v T) (out T, n int64, ok bool) {
	why := ReasonPanicked
	defer func() {
		if !ok {
			p.reject(v, why)
		}
	}()
	if p.cfg.Reset != nil {
		other, keep := p.cfg.Reset(v)
		if !keep || p.nilable && isNil(&other) {
			why = ReasonRejected
			return
		}
		v = other
	}
	n = p.sizeOf(v)
	ok = true
	return v, n, true
}

// sizeOf returns what Size says, and panics if that is negative.
func (h *hooks[T]) sizeOf(v T) int64 {
	if h.cfg.Size == nil {
		return 0
	}
	n := h.cfg.Size(v)
	if n < 0 {
		panic(fmt.Sprintf("objpool: Size returned %d", n))
	}
	return int64(n)
}

// count counts a Put that did not keep its object.
func (p *Pool[T]) count(r Reason) {
	p.mu.Lock()
	p.books.discards[r]++
	p.mu.Unlock()
}

// reject counts and discards an object that somebody put back.
func (p *Pool[T]) reject(v T, r Reason) {
	p.count(r)
	p.discarded(v, r)
}

// refuse discards an object that Put could not place.
func (h *hooks[T]) refuse(v T, r Reason) {
	if h.dbg != nil {
		h.dbg.forget(v)
	}
	h.discarded(v, r)
}

func (h *hooks[T]) discarded(v T, r Reason) {
	if h.cfg.OnDiscard != nil {
		h.cfg.OnDiscard(v, r)
	}
}

// discardAll discards objects that were retained and are counted as r already. All
// are discarded, even if OnDiscard panics or ends the goroutine: the rest is then
// done while the stack unwinds. The first panic goes on; those of the rest are
// contained, as a panic within another takes stack, of which there is not enough for
// all that a pool may retain.
func (h *hooks[T]) discardAll(vs []T, r Reason) {
	discardEach(vs, func(v T) { h.refuse(v, r) }, func(rest []T) {
		h.discardRest(rest, r)
	})
}

func (h *hooks[T]) discardRest(vs []T, r Reason) {
	discardEach(vs, func(v T) {
		defer func() { _ = recover() }()
		h.refuse(v, r)
	}, func(rest []T) {
		h.discardRest(rest, r) // it ended the goroutine
	})
}

// discardEach calls f for each of vs, and rest for those behind the one whose f does
// not return.
func discardEach[T any](vs []T, f func(T), rest func([]T)) {
	i := 0
	defer func() {
		if i < len(vs) {
			rest(vs[i:])
		}
	}()
	for i < len(vs) {
		v := vs[i]
		i++
		f(v)
	}
}

// isNilable reports whether T has a nil value whose first word is 0, and none other
// has.
func isNilable[T any]() bool {
	switch reflect.TypeFor[T]().Kind() {
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func,
		reflect.Interface, reflect.Slice, reflect.UnsafePointer:
		return true
	}
	return false
}
