package batchchan

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// PipeFunc processes one batch and appends its results, any number of them, to
// out, which it returns. in is valid until it returns. What it appended in a call
// that returned an error is discarded, unless that is an [ItemErrors]: then it is
// kept, as the results of the other items.
type PipeFunc[In, Out any] func(ctx context.Context, in []In, out []Out) ([]Out, error)

// PipeConfig configures a [Pipe].
type PipeConfig[In any] struct {
	Config[In]

	// Ordered delivers results in the order in which the batches were cut, also
	// with several Workers: a fast batch then waits for a slow one before it.
	Ordered bool

	// MaxResults is how many batches of results may wait to be received; then
	// workers wait, and so, in the end, do senders. Default 2*Workers. After
	// Close it does not hold.
	MaxResults int
}

// Pipe is a [Batcher] whose function has results, which are received at the
// other end: a stage of a pipeline. Slow receivers slow down senders.
//
// All methods are safe for concurrent use.
type Pipe[In, Out any] struct {
	g   *engine[In]
	out outQueue[Out]
	fn  PipeFunc[In, Out]
	_   nocopy.NoCopy
}

// NewPipe returns a Pipe that processes batches with fn. Shards is ignored. It
// returns an error that names the first bad field of cfg.
func NewPipe[In, Out any](cfg PipeConfig[In], fn PipeFunc[In, Out]) (*Pipe[In, Out], error) {
	if fn == nil {
		return nil, errNoProcessor
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.MaxResults < 0 {
		return nil, fmt.Errorf("batchchan: MaxResults %d is negative", cfg.MaxResults)
	}
	if cfg.Retry.MaxAside > 0 {
		return nil, fmt.Errorf("batchchan: a Pipe does not support Retry.MaxAside %d", cfg.Retry.MaxAside)
	}
	if cfg.MaxResults == 0 {
		cfg.MaxResults = 2 * cfg.Workers
	}
	p := &Pipe[In, Out]{fn: fn}
	p.out.init(cfg.MaxResults, cfg.Ordered)
	p.g = newEngine(cfg.Config, p.process)
	p.g.helper = make(chan struct{}, 1)
	return p, nil
}

func (p *Pipe[In, Out]) process(b *batch[In]) {
	r := p.out.get()
	defer func() { p.out.put(b.ticket, r) }() // also after Goexit: the next in order waits for it
	p.g.execute(b, func(ctx context.Context, in []In) error {
		n := len(r.items)
		if p.g.cfg.DetachBatches { // out is fn's to keep
			out, err := p.fn(ctx, in, nil)
			if p.keepResults(err) {
				r.items = append(r.items, out...)
			}
			return err
		}
		out, err := p.fn(ctx, in, r.items[n:])
		switch {
		case !p.keepResults(err):
			clear(r.items[n:cap(r.items)])
		case n == 0:
			r.items = out
		default: // of an earlier attempt, whose results stay whatever this one returns
			r.items = append(r.items, out...)
		}
		return err
	})
	if b.ran != nil {
		close(b.ran)
	}
}

// keepResults says whether a call that returned err has results.
func (p *Pipe[In, Out]) keepResults(err error) bool {
	if err == nil {
		return true
	}
	_, ok := asError[*ItemErrors](&p.g.executor, err)
	return ok
}

// Send hands item over, as [Batcher.Send].
func (p *Pipe[In, Out]) Send(ctx context.Context, item In) error { return p.g.send(ctx, item, forever) }

// TrySend is Send without waiting, as [Batcher.TrySend].
func (p *Pipe[In, Out]) TrySend(item In) error {
	return p.g.send(context.Background(), item, noWait)
}

// SendTimeout is Send that waits for at most d, as [Batcher.SendTimeout].
func (p *Pipe[In, Out]) SendTimeout(item In, d time.Duration) error {
	if d <= 0 {
		d = noWait
	}
	return p.g.send(context.Background(), item, d)
}

// SendMany sends items in order, as [Batcher.SendMany].
func (p *Pipe[In, Out]) SendMany(ctx context.Context, items []In) (n int, err error) {
	return p.g.sendMany(ctx, items, forever)
}

// Recv waits for a result and returns it. When ctx is done it returns ctx.Err()
// and takes nothing. When the Pipe is closed and every result was received, it
// returns ErrClosed, every time.
func (p *Pipe[In, Out]) Recv(ctx context.Context) (Out, error) {
	var one [1]Out
	_, err := p.out.recv(ctx, p.g.done, one[:])
	return one[0], err
}

// RecvMany waits for a result and stores it and those that are there with it in
// dst. It returns how many, at least 1 unless there is an error or dst is empty.
func (p *Pipe[In, Out]) RecvMany(ctx context.Context, dst []Out) (n int, err error) {
	notNil(ctx)
	if len(dst) == 0 {
		return 0, ctxerr.From(ctx)
	}
	return p.out.recv(ctx, p.g.done, dst)
}

// All returns an iterator over the results, each with a nil error. It ends
// when the Pipe is closed and every result was received; if ctx is done first, it
// yields a zero result and ctx.Err() and ends.
func (p *Pipe[In, Out]) All(ctx context.Context) iter.Seq2[Out, error] {
	return func(yield func(Out, error) bool) {
		for {
			r, err := p.Recv(ctx)
			if errors.Is(err, ErrClosed) || !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Flush makes everything accepted so far due and waits until it was processed.
// The results may still wait to be received, MaxResults batches of them at most:
// a Flush by the only receiver can wait for itself, bound it with ctx.
func (p *Pipe[In, Out]) Flush(ctx context.Context) error { return p.g.flush(ctx) }

// CloseSend refuses new items and returns at once. What was accepted is
// processed; its results are received, and then ErrClosed.
func (p *Pipe[In, Out]) CloseSend() {
	p.g.beginClose()
	p.out.unbound()
}

// Close refuses new items, waits until everything accepted was processed, and
// ends all goroutines. It does not wait for receivers: results that wait are
// kept, without a bound now, and may still be received. If items failed since the
// last report it returns a *FailedError, else nil; it may be called again.
func (p *Pipe[In, Out]) Close() error {
	p.CloseSend()
	return p.g.close()
}

// Shutdown is Close until ctx is done, and then as [Batcher.Shutdown].
func (p *Pipe[In, Out]) Shutdown(ctx context.Context) (undelivered []In, err error) {
	notNil(ctx)
	if !p.g.inside(ctx) {
		p.CloseSend()
	}
	return p.g.shutdown(ctx)
}

// Done returns a channel that is closed when the Pipe was closed, nothing is left
// to process and the last call of the function has returned.
func (p *Pipe[In, Out]) Done() <-chan struct{} { return p.g.done }

// Stats returns a consistent snapshot of the sending side and the processing.
func (p *Pipe[In, Out]) Stats() Stats { return p.g.stats() }
