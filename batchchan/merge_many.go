package batchchan

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// doMany is DoMany.
func (m *merging[K, Req, Res]) doMany(ctx context.Context, reqs []Req, results []Result[Res]) {
	keys := make([]K, len(reqs))
	for i, req := range reqs {
		if keys[i] = m.key(req); !m.checker.ok(keys[i]) {
			results[i].Err = ErrBadKey
		}
	}
	places := make([]place[K, Req, Res], len(reqs)) // w is nil where there is a result
	for from := 0; from < len(reqs); from += step {
		m.mu.lock() // for a step, not for all: others wait
		for i := from; i < min(from+step, len(reqs)); i++ {
			if results[i].Err == nil {
				places[i], results[i].Value, _ = m.joinLocked(keys[i], reqs[i])
			}
		}
		m.mu.unlock()
	}
	waiting := 0 // places before that are no longer waited at
	defer func() {
		for _, p := range places[waiting:] { // a function of the user has ended this
			m.abandon(p)
		}
	}()
	m.lead(ctx, places, results)
	for i, p := range places {
		waiting = i + 1
		if p.w != nil {
			results[i].Value, results[i].Err = m.wait(ctx, p)
		}
	}
}

// lead sends what the places have to send.
func (m *merging[K, Req, Res]) lead(ctx context.Context, places []place[K, Req, Res], results []Result[Res]) {
	var (
		calls []*call[Req, Res]
		at    []int
	)
	for i, p := range places {
		if p.lead {
			calls, at = append(calls, &p.f.call), append(at, i)
		}
	}
	m.k.sendCalls(ctx, calls, func(j int, err error) {
		p := &places[at[j]]
		p.lead = false
		if !m.wasSent(ctx, p.f, p.w, err) {
			p.w, results[at[j]].Err = nil, ctxerr.From(ctx)
		}
	})
}

// abandon takes the Do that waits at p out, whose goroutine is ending.
func (m *merging[K, Req, Res]) abandon(p place[K, Req, Res]) {
	switch {
	case p.w == nil:
	case p.lead:
		m.passLead(p.f, p.w)
	case p.w.park() && m.leave(p.f, p.w): // as if its ctx had ended
	case p.w.lead:
		m.passLead(p.f, p.w)
	}
}
