package batchchan

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// CallFunc answers a batch of requests: it sets results[i] for reqs[i], all of
// them or those it can. results has the length of reqs and is zero at first. An
// error, or a panic, is the answer to every request of the batch (after
// Config.Retry). Neither slice may be kept.
type CallFunc[Req, Res any] func(ctx context.Context, reqs []Req, results []Result[Res]) error

// Result is the answer to one request.
type Result[Res any] struct {
	Value Res   // of a request that was answered
	Err   error // why it was not
}

// Caller lets many goroutines share calls to a backend: each calls Do with one
// request and gets its own answer, and the requests that come together go
// together. With the default Linger of 0 a lone request goes at once, and what
// comes while the backend is busy goes in the next call.
//
// All methods are safe for concurrent use.
type Caller[Req, Res any] struct {
	c       *core[*call[Req, Res]]
	fn      CallFunc[Req, Res]
	detach  bool
	calls   sync.Pool // *call; per instance
	scratch sync.Pool // *callBatch; per instance
	_       noCopy
}

// call is one Do.
type call[Req, Res any] struct {
	req    Req
	res    Result[Res]
	signal             // answered
	gone   atomic.Bool // Do has returned
}

// callBatch holds the slices of one backend call.
type callBatch[Req, Res any] struct {
	calls   []*call[Req, Res]
	reqs    []Req
	results []Result[Res]
}

// NewCaller returns a Caller that answers batches with fn. Shards is ignored. It
// returns an error that names the first bad field of cfg.
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
		Overflow: cfg.Overflow, Workers: cfg.Workers, Timeout: cfg.Timeout, Retry: cfg.Retry,
		OnDrop: func(c *call[Req, Res], why DropReason) {
			req := c.req
			c.answer(Result[Res]{Err: ErrDropped})
			if cfg.OnDrop != nil {
				cfg.OnDrop(req, why)
			}
		},
		OnError: func(err error, calls []*call[Req, Res]) {
			var reqs []Req
			for _, c := range calls {
				if cfg.OnError != nil {
					reqs = append(reqs, c.req)
				}
				c.answer(Result[Res]{Err: err})
			}
			if cfg.OnError != nil {
				cfg.OnError(err, reqs)
			}
		},
	}
	if cfg.SizeOf != nil {
		inner.SizeOf = func(c *call[Req, Res]) int { return cfg.SizeOf(c.req) }
	}
	if err := inner.check(); err != nil {
		return nil, err
	}
	k.c = newCore(inner, func(b *batch[*call[Req, Res]]) { k.c.execute(b, k.run) })
	k.c.yields = workerYields
	return k, nil
}

func (c *call[Req, Res]) answer(r Result[Res]) {
	c.res = r
	c.send() // from here on c is its Do's
}

// Do sends req with the next batch and waits for its answer. While it waits it
// returns ctx.Err() when ctx is done; a request that has not reached the backend
// by then never will, and the answer to one that has is discarded. If there is no
// room it does what Config.Overflow says. When the Caller is closed it returns
// ErrClosed. A panic in the CallFunc comes back as a *PanicError.
func (k *Caller[Req, Res]) Do(ctx context.Context, req Req) (Res, error) {
	c := k.calls.Get().(*call[Req, Res])
	c.req = req
	c.arm()
	if err := k.c.send(ctx, c, forever); err != nil {
		k.recycle(c)
		var zero Res
		return zero, err
	}
	if !c.waitOr(ctx.Done(), callerYields) {
		c.gone.Store(true) // c is left to the batch that holds it
		var zero Res
		return zero, ctx.Err()
	}
	res := c.res
	k.recycle(c)
	return res.Value, res.Err
}

func (k *Caller[Req, Res]) recycle(c *call[Req, Res]) {
	var req Req
	c.req, c.res = req, Result[Res]{}
	k.calls.Put(c)
}

// run makes one backend call for the requests of b that are still waited for.
func (k *Caller[Req, Res]) run(ctx context.Context, b *batch[*call[Req, Res]]) error {
	s := k.scratch.Get().(*callBatch[Req, Res])
	if k.detach {
		s = new(callBatch[Req, Res])
	}
	for _, c := range b.items[b.off:] {
		if !c.gone.Load() {
			s.calls = append(s.calls, c)
			s.reqs = append(s.reqs, c.req)
		}
	}
	if len(s.calls) == 0 {
		k.scratch.Put(s)
		return nil
	}
	n := len(s.calls)
	if cap(s.results) < n {
		s.results = make([]Result[Res], n, cap(s.calls))
	}
	s.results = s.results[:n]
	if err := k.fn(ctx, s.reqs, s.results); err != nil {
		return err // s is left to the collector: fn may have kept it in the error
	}
	for i, c := range s.calls {
		c.answer(s.results[i])
	}
	if !k.detach {
		clear(s.calls)
		clear(s.reqs)
		clear(s.results)
		s.calls, s.reqs, s.results = s.calls[:0], s.reqs[:0], s.results[:0]
		k.scratch.Put(s)
	}
	return nil
}

// Close refuses new calls, waits until those accepted are answered, and ends all
// goroutines. It returns nil and may be called again.
func (k *Caller[Req, Res]) Close() error {
	k.c.beginClose()
	<-k.c.done
	return nil
}

// Shutdown is Close until ctx is done. Then it cancels the running backend calls'
// context, answers what never reached the backend with ErrClosed, and returns an
// error that says how much that was.
func (k *Caller[Req, Res]) Shutdown(ctx context.Context) error {
	calls, err := k.c.shutdown(ctx)
	for _, c := range calls {
		c.answer(Result[Res]{Err: ErrClosed})
	}
	return err
}

// Done returns a channel that is closed when the Caller was closed and the last
// backend call has returned.
func (k *Caller[Req, Res]) Done() <-chan struct{} { return k.c.done }

// Stats returns a consistent snapshot; its items are requests.
func (k *Caller[Req, Res]) Stats() Stats { return k.c.stats() }

// DoTimeout is Do that waits for at most d and then returns ErrTimeout.
func (k *Caller[Req, Res]) DoTimeout(req Req, d time.Duration) (Res, error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), d, ErrTimeout)
	defer cancel()
	res, err := k.Do(ctx, req)
	if err == context.DeadlineExceeded && ctx.Err() != nil { //nolint:errorlint // identity: only ctx's own
		err = ErrTimeout
	}
	return res, err
}
