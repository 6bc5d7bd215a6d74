package batchchan

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// DoMany sends several requests and waits for all their answers: what LoadMany is to a
// data loader. results[i] is the answer to reqs[i], a Value or why there is none, as Do
// would have returned it; one that fails does not keep the others from theirs. The
// requests go next to each other in as few batches as MaxBatch allows, with those of
// others. (One by one, as if by as many calls of Do, where SizeOf is used or Overflow is
// CallerRuns.) In a merging Caller equal ones, of reqs too, go as one, and what the cache
// has does not go at all.
//
// When ctx is done, requests that have no answer yet get ctx.Err(), and are treated as
// Do treats its own; answers that came before are kept. When the Caller is closed
// meanwhile, those that were accepted are answered and the others get ErrClosed. Called
// with the CallFunc's own ctx all get ErrInside. reqs is not kept; of no requests the
// result is empty.
func (k *Caller[Req, Res]) DoMany(ctx context.Context, reqs []Req) (results []Result[Res]) {
	notNil(ctx)
	results = make([]Result[Res], len(reqs))
	switch {
	case k.g.inside(ctx):
		failAll(results, ErrInside)
	case ctx.Err() != nil:
		failAll(results, ctxerr.From(ctx))
	case k.merge != nil:
		k.merge.doMany(ctx, reqs, results)
	default:
		k.doMany(ctx, reqs, results)
	}
	return results
}

func failAll[Res any](results []Result[Res], err error) {
	for i := range results {
		results[i].Err = err
	}
}

// together says whether several requests can be sent in one step: where no function of
// the user runs meanwhile, so that it is known how many were sent.
func (k *Caller[Req, Res]) together() bool {
	return k.g.cfg.SizeOf == nil && k.g.cfg.Overflow != CallerRuns
}

func (k *Caller[Req, Res]) doMany(ctx context.Context, reqs []Req, results []Result[Res]) {
	calls := make([]*call[Req, Res], len(reqs))
	for i, req := range reqs {
		calls[i] = k.calls.Get().(*call[Req, Res])
		calls[i].req = req
		calls[i].arm()
	}
	waiting := 0 // calls before that are no longer waited for
	defer func() {
		for _, c := range calls[waiting:] { // a function of the user has ended this
			k.leave(c)
		}
	}()
	accepted := make([]bool, len(calls))
	k.sendCalls(ctx, calls, func(i int, err error) {
		results[i].Err, accepted[i] = err, err == nil
	})
	for i, c := range calls {
		waiting = i + 1
		switch {
		case !accepted[i]:
		case c.state.Load() != sent && !c.waitOr(ctx.Done(), callerYields):
			k.leave(c) // c is left to the batch that holds it
			results[i].Err = ctxerr.From(ctx)
			continue
		default:
			results[i] = c.res
		}
		k.recycle(c)
	}
}

// sendCalls sends calls in order and says of each how that went.
func (k *Caller[Req, Res]) sendCalls(ctx context.Context, calls []*call[Req, Res], done func(i int, err error)) {
	if !k.together() {
		for i, c := range calls {
			done(i, k.g.send(ctx, c, forever))
		}
		return
	}
	n, err := k.g.sendMany(ctx, calls, forever)
	for i := range calls {
		if i < n {
			done(i, nil)
		} else {
			done(i, err)
		}
	}
}
