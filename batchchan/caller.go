package batchchan

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// CallFunc answers a batch of requests: it sets results[i] for reqs[i], all of
// them or those it can. results has the length of reqs and is zero at first. An
// error, or a panic, is the answer to every request of the batch (after
// Config.Retry); an [ItemErrors] answers those requests that it names. Neither
// slice may be kept.
type CallFunc[Req, Res any] func(ctx context.Context, reqs []Req, results []Result[Res]) error

// Result is the answer to one request.
type Result[Res any] struct {
	Value Res   // of a request that was answered
	Err   error // why it was not
}

// Caller lets many goroutines share calls to a backend: each calls Do with one
// request and gets its own answer, and the requests that come together go
// together. DoMany is for one that has several requests. With the default Linger of 0
// a lone request goes at once, and what comes while the backend is busy goes in the
// next call. NewMergingCaller makes one that also sends equal requests as one.
//
// All methods are safe for concurrent use.
type Caller[Req, Res any] struct {
	g       *engine[*call[Req, Res]]
	fn      CallFunc[Req, Res]
	detach  bool
	merge   merger[Req, Res] // nil: every request goes alone
	calls   sync.Pool        // *call; per instance
	scratch sync.Pool        // *callBatch; per instance
	_       nocopy.NoCopy
}

// call is one request, which a Do waits for.
type call[Req, Res any] struct {
	req    Req
	res    Result[Res]
	signal             // answered
	flight flight[Res] // not nil: several may wait for the answer
	gone   atomic.Bool // nobody waits any more
	sent   bool        // the CallFunc has been given it; the batch's own
	at     uint64      // position in the core; guarded by its mu
	size   int         // where SizeOf is used
}

// merger sends equal requests as one.
type merger[Req, Res any] interface {
	do(ctx context.Context, req Req) (Res, error)
	doMany(ctx context.Context, reqs []Req, results []Result[Res])
	forget(req Req)
	stats() (merged, hits uint64)
}

// flight gives an answer to all that wait for it.
type flight[Res any] interface{ answer(r Result[Res]) }

// callBatch holds the slices of one backend call.
type callBatch[Req, Res any] struct {
	calls   []*call[Req, Res]
	at      []int // where they are in the batch, if that has others, too
	reqs    []Req
	results []Result[Res]
}

// errLeft is the error of requests that nobody waits for.
var errLeft = errors.New("batchchan: nobody waits for the answer")

// NewCaller returns a Caller that answers batches with fn. Shards is ignored. OnError
// gets the requests that failed, except those whose Do had left before fn was given
// them. NewCaller returns an error that names the first bad field of cfg.
func NewCaller[Req, Res any](cfg Config[Req], fn CallFunc[Req, Res]) (*Caller[Req, Res], error) {
	if fn == nil {
		return nil, errNoProcessor
	}
	k := &Caller[Req, Res]{fn: fn, detach: cfg.DetachBatches}
	k.calls.New = func() any { return &call[Req, Res]{signal: newSignal()} }
	k.scratch.New = func() any { return new(callBatch[Req, Res]) }
	inner := Config[*call[Req, Res]]{
		Name: cfg.Name, MaxBatch: cfg.MaxBatch, MaxBytes: cfg.MaxBytes,
		Linger: cfg.Linger, PreciseLinger: cfg.PreciseLinger,
		MaxPending: cfg.MaxPending, MaxPendingBytes: cfg.MaxPendingBytes,
		Overflow: cfg.Overflow, MaxWaiters: cfg.MaxWaiters, Workers: cfg.Workers, Timeout: cfg.Timeout, RateLimit: cfg.RateLimit, Retry: cfg.Retry,
		OnDrop: func(c *call[Req, Res], why DropReason) {
			req := c.req
			c.answer(Result[Res]{Err: ErrDropped})
			if cfg.OnDrop != nil {
				// Apart: the Do that meets the full buffer must go on with its own request.
				k.g.apart(func() { cfg.OnDrop(req, why) })
			}
		},
		OnError: func(ctx context.Context, err error, calls []*call[Req, Res]) {
			var reqs []Req
			for _, c := range calls {
				if cfg.OnError != nil && (c.sent || !c.gone.Load()) {
					reqs = append(reqs, c.req)
				}
				c.answer(Result[Res]{Err: err})
			}
			if len(reqs) > 0 {
				cfg.OnError(ctx, err, reqs)
			}
		},
	}
	if cfg.SizeOf != nil {
		inner.SizeOf = func(c *call[Req, Res]) int {
			c.size = max(cfg.SizeOf(c.req), 0)
			return c.size
		}
	}
	if err := inner.check(); err != nil {
		return nil, err
	}
	run := processFunc[*call[Req, Res]](k.run)
	k.g = newEngine(inner, func(b *batch[*call[Req, Res]]) { k.g.execute(b, run) })
	k.g.yields = workerYields
	k.g.core.backlog.bulk = k.g.core.maxBatch // requests may leave; in a run they could not
	k.g.silent = true
	k.g.core.backlog.placed = func(c *call[Req, Res], at uint64) { c.at = at }
	k.g.core.backlog.leaves = func(c *call[Req, Res]) bool { return c.gone.Load() }
	return k, nil
}

func (c *call[Req, Res]) answer(r Result[Res]) {
	if c.flight != nil {
		c.flight.answer(r)
		return
	}
	c.res = r
	c.send() // from here on c is its Do's
}

// Do sends req with the next batch and waits for its answer. When ctx is done it
// returns ctx.Err(): if no worker has taken the request by then, it never reaches the
// backend and no longer counts as pending; else its answer is discarded. If there is no
// room, Do does what Config.Overflow says. When the Caller is closed it returns
// ErrClosed. A panic in the CallFunc comes back as a *PanicError. Called with the
// CallFunc's own ctx it would wait for itself: it returns ErrInside.
func (k *Caller[Req, Res]) Do(ctx context.Context, req Req) (Res, error) {
	notNil(ctx)
	if k.g.inside(ctx) {
		var zero Res
		return zero, ErrInside
	}
	if k.merge != nil {
		return k.merge.do(ctx, req)
	}
	c := k.calls.Get().(*call[Req, Res])
	c.req = req
	c.arm()
	if err := k.g.send(ctx, c, forever); err != nil {
		k.recycle(c)
		var zero Res
		return zero, err
	}
	if !c.waitOr(ctx.Done(), callerYields) {
		k.leave(c) // c is left to the batch that holds it
		var zero Res
		return zero, ctxerr.From(ctx)
	}
	res := c.res
	k.recycle(c)
	return res.Value, res.Err
}

func (k *Caller[Req, Res]) recycle(c *call[Req, Res]) {
	var req Req
	c.req, c.res, c.sent = req, Result[Res]{}, false
	k.calls.Put(c)
}

// leave says that nobody waits for c's answer any more.
func (k *Caller[Req, Res]) leave(c *call[Req, Res]) {
	var e effects[*call[Req, Res]]
	k.g.mu.lock()
	c.gone.Store(true)
	k.g.core.leave(c.at, c.size, &e)
	k.g.unlock(&e)
}

// run makes one backend call for those of calls that are still waited for.
func (k *Caller[Req, Res]) run(ctx context.Context, calls []*call[Req, Res]) error {
	s := k.scratch.Get().(*callBatch[Req, Res])
	if k.detach {
		s = new(callBatch[Req, Res])
	}
	var (
		failed *ItemErrors
		asked  time.Duration
	)
	for i, c := range calls {
		if c.gone.Load() {
			failed = failed.with(itemError{i, errLeft, false})
			continue
		}
		if failed != nil {
			s.at = append(s.at, i)
		}
		c.sent = true
		s.calls = append(s.calls, c)
		s.reqs = append(s.reqs, c.req)
	}
	if n := len(s.calls); n > 0 {
		if cap(s.results) < n {
			s.results = make([]Result[Res], n, cap(s.calls))
		}
		s.results = s.results[:n]
		if err := k.fn(ctx, s.reqs, s.results); err != nil {
			parts, whole, ok := k.g.itemErrors(err, n)
			if !ok || whole != nil {
				return err // s is left to the collector: fn may have kept it in the error
			}
			failed, asked = k.failParts(s, parts, failed), k.g.asked(err, nil)
		}
		for i, c := range s.calls {
			if c != nil {
				c.answer(s.results[i])
			}
		}
	}
	if !k.detach {
		clear(s.calls)
		clear(s.reqs)
		clear(s.results)
		s.calls, s.at, s.reqs, s.results = s.calls[:0], s.at[:0], s.reqs[:0], s.results[:0]
		k.scratch.Put(s)
	}
	if asked > 0 {
		return RetryAfter(failed.Err(), asked)
	}
	return failed.Err()
}

// failParts adds the requests that failed, by themselves, to failed, whose indexes
// are those of the whole batch, and takes them out of s.
func (k *Caller[Req, Res]) failParts(s *callBatch[Req, Res], parts []itemError, failed *ItemErrors) *ItemErrors {
	before := len(s.calls) - len(s.at) // those before the first that has left have the same index in both
	for _, p := range parts {
		i := p.index
		if i >= before {
			i = s.at[i-before]
		}
		failed = failed.with(itemError{i, p.err, p.retry})
		s.calls[p.index] = nil
	}
	return failed
}

// Forget makes later requests that are equal to req go to the backend anew: they
// join no request that is under way and use no cached answer. Call it after a
// change that they must see. It has no effect without a key function.
func (k *Caller[Req, Res]) Forget(req Req) {
	if k.merge != nil {
		k.merge.forget(req)
	}
}

// Close refuses new calls, waits until those accepted are answered, and ends all
// goroutines. It returns nil and may be called again.
func (k *Caller[Req, Res]) Close() error { return k.g.close() }

// Shutdown is Close until ctx is done. Then it cancels the running backend calls'
// context, answers what never reached the backend with ErrClosed, and returns a
// *ShutdownError that says how much that was.
func (k *Caller[Req, Res]) Shutdown(ctx context.Context) error {
	calls, err := k.g.shutdown(ctx)
	for _, c := range calls {
		c.answer(Result[Res]{Err: ErrClosed})
	}
	return err
}

// Done returns a channel that is closed when the Caller was closed and the last
// backend call has returned.
func (k *Caller[Req, Res]) Done() <-chan struct{} { return k.g.done }

// CallerStats is a snapshot of a [Caller]. Its items are the requests that were
// sent as such; those of a merging Caller that needed no request of their own are
// counted beside them.
type CallerStats struct {
	Name string `json:"name,omitempty"` // Config.Name
	Stats
	Merged    uint64 `json:"merged"`     // requests that joined an equal one
	CacheHits uint64 `json:"cache_hits"` // requests that were answered from the cache
}

// Stats returns a consistent snapshot.
func (k *Caller[Req, Res]) Stats() CallerStats {
	s := CallerStats{Name: k.g.cfg.Name, Stats: k.g.stats()}
	if k.merge != nil {
		s.Merged, s.CacheHits = k.merge.stats()
	}
	return s
}

// DoTimeout is Do that waits for at most d and then returns ErrTimeout.
func (k *Caller[Req, Res]) DoTimeout(req Req, d time.Duration) (Res, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, ErrTimeout)
	defer cancel()
	return k.Do(ctx, req)
}
