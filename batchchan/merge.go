package batchchan

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/list"
)

// CallerConfig configures a merging [Caller].
type CallerConfig[Req any] struct {
	Config[Req]

	// CacheFor is for how long an answer without an error is given to later
	// requests that are equal. 0, the default, means not at all.
	CacheFor time.Duration

	// MaxCached bounds the answers that are kept; the oldest makes room. Default
	// 1024. Answers whose time has passed are freed by later calls.
	MaxCached int
}

// NewMergingCaller returns a Caller that sends requests with the same key as one:
// a Do joins an equal request that is not answered yet, whether that still waits
// or is with the backend already, and gets the same answer. Its answer may thus be
// as old as that backend call, and with CacheFor that much older; Forget makes
// later calls ask anew. When every Do that joined a request has left, that request is
// treated as if its only Do had left.
//
// A Value is shared by all that get it: treat what it points to as read-only. key
// is called once per Do. Do returns ErrBadKey for a key that is not equal to itself
// or cannot be compared. NewMergingCaller returns an error that names the first bad
// field of cfg.
func NewMergingCaller[K comparable, Req, Res any](cfg CallerConfig[Req], key func(Req) K, fn CallFunc[Req, Res]) (*Caller[Req, Res], error) {
	switch {
	case key == nil:
		return nil, errors.New("batchchan: the key function is nil")
	case cfg.CacheFor < 0:
		return nil, fmt.Errorf("batchchan: CacheFor %v is negative", cfg.CacheFor)
	case cfg.MaxCached < 0:
		return nil, fmt.Errorf("batchchan: MaxCached %d is negative", cfg.MaxCached)
	}
	k, err := NewCaller(cfg.Config, fn)
	if err != nil {
		return nil, err
	}
	m := &merging[K, Req, Res]{k: k, key: key, checker: newKeyChecker[K](), flights: make(map[K]*shared[K, Req, Res])}
	m.free.New = func() any {
		w := &sharer[Res]{signal: newSignal()}
		w.node.Value = w
		return w
	}
	m.mu.init(true)
	if cfg.CacheFor > 0 {
		m.cached.init(cfg.CacheFor, cfg.MaxCached)
	}
	k.merge = m
	return k, nil
}

// merging is the merger of requests with keys of type K.
type merging[K comparable, Req, Res any] struct {
	k       *Caller[Req, Res]
	key     func(Req) K
	checker keyChecker[K]
	free    sync.Pool // *sharer; per instance

	mu      spinLock // never held while engine.mu is taken
	flights map[K]*shared[K, Req, Res]
	cached  cache[K, Res]
	merged  uint64
	hits    uint64
}

// shared is a request that any number of Do calls wait for.
type shared[K comparable, Req, Res any] struct {
	call[Req, Res] // what the core has; nobody waits on its signal
	m              *merging[K, Req, Res]
	key            K
	waiting        list.List[*sharer[Res]] // guarded by m.mu, as the rest
	sending        bool                    // the first to wait is yet to send it
}

// sharer is one Do that waits for a shared request.
type sharer[Res any] struct {
	signal
	node list.Node[*sharer[Res]] // in shared.waiting
	next *sharer[Res]            // of those that are given an answer
	res  Result[Res]
	lead bool // it was woken to send the request, not with an answer
}

func (m *merging[K, Req, Res]) do(ctx context.Context, req Req) (zero Res, err error) {
	if ctx.Err() != nil {
		return zero, ctxerr.From(ctx)
	}
	key := m.key(req)
	if !m.checker.ok(key) {
		return zero, ErrBadKey
	}
	m.mu.lock()
	p, v, hit := m.joinLocked(key, req)
	m.mu.unlock()
	if hit {
		return v, nil
	}
	return m.wait(ctx, p)
}

// place is where a Do waits: with f, which it has to send if it leads.
type place[K comparable, Req, Res any] struct {
	f    *shared[K, Req, Res]
	w    *sharer[Res]
	lead bool
}

// joinLocked finds the answer to req in the cache, or a place to wait for it.
func (m *merging[K, Req, Res]) joinLocked(key K, req Req) (p place[K, Req, Res], v Res, hit bool) {
	if m.cached.on() {
		if v, hit = m.cached.get(key, m.k.g.now()); hit {
			m.hits++
			return p, v, true
		}
	}
	p.w = m.free.Get().(*sharer[Res])
	p.w.arm()
	if p.f = m.flights[key]; p.f != nil {
		m.merged++
	} else {
		p.lead = true
		p.f = &shared[K, Req, Res]{m: m, key: key, sending: true}
		p.f.req, p.f.flight = req, p.f
		m.flights[key] = p.f
	}
	p.f.waiting.PushBack(&p.w.node)
	return p, v, false
}

// wait waits for the answer, after it has sent the request where p leads.
func (m *merging[K, Req, Res]) wait(ctx context.Context, p place[K, Req, Res]) (zero Res, err error) {
	f, w, lead := p.f, p.w, p.lead
	for {
		if lead && !m.sendAs(ctx, f, w) {
			return zero, ctxerr.From(ctx)
		}
		if w.state.Load() != sent && !w.waitOr(ctx.Done(), callerYields) && m.leave(f, w) {
			return zero, ctxerr.From(ctx)
		}
		if !w.lead {
			res := w.res
			w.res = Result[Res]{}
			m.free.Put(w)
			return res.Value, res.Err
		}
		lead, w.lead = true, false
		w.arm()
	}
}

// sendAs sends f, with the ctx of w, who leads. It reports false if ctx ended that;
// the next in line then leads, and so it does if SizeOf panics. Any other error is the
// answer for all.
func (m *merging[K, Req, Res]) sendAs(ctx context.Context, f *shared[K, Req, Res], w *sharer[Res]) bool {
	returned := false
	defer func() {
		if !returned {
			m.passLead(f, w)
		}
	}()
	err := m.k.g.send(ctx, &f.call, forever)
	returned = true
	return m.wasSent(ctx, f, w, err)
}

// wasSent follows the sending of f by w, which returned err: see sendAs.
func (m *merging[K, Req, Res]) wasSent(ctx context.Context, f *shared[K, Req, Res], w *sharer[Res], err error) bool {
	if err != nil && ctx.Err() != nil {
		m.passLead(f, w)
		return false
	}
	m.mu.lock()
	f.sending = false
	m.mu.unlock()
	if err != nil {
		f.answer(Result[Res]{Err: err})
	}
	return true
}

// passLead takes out w, who leads and has not sent f, and wakes the next to do it.
func (m *merging[K, Req, Res]) passLead(f *shared[K, Req, Res], w *sharer[Res]) {
	m.mu.lock()
	f.waiting.Remove(&w.node)
	next := f.waiting.Front()
	if next == nil {
		m.removeLocked(f)
	} else {
		next.lead = true
	}
	m.mu.unlock()
	if next != nil {
		next.send()
	}
}

// leave takes out w, whose ctx ended, and reports false if its answer, or its turn
// to lead, came first.
func (m *merging[K, Req, Res]) leave(f *shared[K, Req, Res], w *sharer[Res]) bool {
	m.mu.lock()
	if !w.node.Linked() || w.lead {
		m.mu.unlock()
		<-w.ch
		return false
	}
	f.waiting.Remove(&w.node)
	last := f.waiting.Len() == 0 && !f.sending
	if last {
		m.removeLocked(f)
	}
	m.mu.unlock()
	if last {
		m.k.leave(&f.call)
	}
	return true
}

// removeLocked keeps later calls from joining f.
func (m *merging[K, Req, Res]) removeLocked(f *shared[K, Req, Res]) {
	if m.flights[f.key] == f {
		delete(m.flights, f.key)
	}
}

func (m *merging[K, Req, Res]) forget(req Req) {
	key := m.key(req)
	if !m.checker.ok(key) {
		return
	}
	m.mu.lock()
	defer m.mu.unlock()
	delete(m.flights, key)
	if m.cached.on() {
		m.cached.remove(key)
	}
}

func (m *merging[K, Req, Res]) stats() (merged, hits uint64) {
	m.mu.lock()
	defer m.mu.unlock()
	return m.merged, m.hits
}

// answer gives r to all that wait for f.
func (f *shared[K, Req, Res]) answer(r Result[Res]) {
	m := f.m
	m.mu.lock()
	if m.flights[f.key] == f {
		delete(m.flights, f.key)
		if m.cached.on() && r.Err == nil {
			m.cached.put(f.key, r.Value, m.k.g.now())
		}
	}
	var w, last *sharer[Res]
	for v := f.waiting.PopFront(); v != nil; v = f.waiting.PopFront() {
		if last == nil {
			w = v
		} else {
			last.next = v
		}
		last = v
	}
	m.mu.unlock()
	for w != nil {
		next := w.next
		w.next, w.res = nil, r
		w.send() // from here on w is its Do's
		w = next
	}
}
