package batchchan

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// Queue is the pull side of batching: senders put items in one by one, receivers
// take them out in batches, cut by the same triggers as a [Batcher]'s. There are
// no goroutines in it.
//
// All methods are safe for concurrent use.
type Queue[T any] struct {
	g    *engine[T]
	free sync.Pool // *taker; per instance
	_    nocopy.NoCopy
}

// Batch is one batch out of a [Queue]. It belongs to the receiver until Release.
type Batch[T any] struct {
	// Items are the batch's items. They are valid until Release, unless
	// Config.DetachBatches is set.
	Items []T

	q   *Queue[T]
	b   *batch[T]
	age time.Duration
	why Reason
}

// NewQueue returns a Queue. It ignores the fields of cfg that are about the processor:
// Workers, Shards, Timeout, RateLimit, Retry, OnError. Overflow CallerRuns is an error:
// there is no processor that a sender could call.
func NewQueue[T any](cfg Config[T]) (*Queue[T], error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Overflow == CallerRuns {
		return nil, errors.New("batchchan: Overflow CallerRuns needs a processor, a Queue has none")
	}
	q := &Queue[T]{g: newEngine[T](cfg, nil)}
	q.free.New = func() any { return &taker{signal: newSignal()} }
	return q, nil
}

// Send hands item over, as [Batcher.Send].
func (q *Queue[T]) Send(ctx context.Context, item T) error { return q.g.send(ctx, item, forever) }

// TrySend is Send without waiting, as [Batcher.TrySend].
func (q *Queue[T]) TrySend(item T) error { return q.g.send(context.Background(), item, noWait) }

// SendTimeout is Send that waits for at most d, as [Batcher.SendTimeout].
func (q *Queue[T]) SendTimeout(item T, d time.Duration) error {
	if d <= 0 {
		d = noWait
	}
	return q.g.send(context.Background(), item, d)
}

// SendMany sends items in order, as [Batcher.SendMany].
func (q *Queue[T]) SendMany(ctx context.Context, items []T) (n int, err error) {
	return q.g.sendMany(ctx, items, forever)
}

// Producer returns a new fast lane, as [Batcher.Producer].
func (q *Queue[T]) Producer() *Producer[T] { return &Producer[T]{g: q.g, l: q.g.newLane(true)} }

// Recv waits for a batch that is due and returns it. The receiver must call
// Release when done with it. When ctx is done, Recv returns ctx.Err() and takes
// nothing. When the Queue is closed, Recv returns what was accepted and then,
// every time, ErrClosed.
func (q *Queue[T]) Recv(ctx context.Context) (*Batch[T], error) { return q.recv(ctx, true) }

// TryRecv is Recv without waiting: if no batch is due it returns ErrEmpty.
func (q *Queue[T]) TryRecv() (*Batch[T], error) { return q.recv(context.Background(), false) }

func (q *Queue[T]) recv(ctx context.Context, wait bool) (*Batch[T], error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return nil, ctxerr.From(ctx)
	}
	g := q.g
	var e effects[T]
	var t *taker
	now := g.now()
	g.mu.lock()
	defer func() {
		if t != nil {
			q.free.Put(t)
		}
	}()
	for {
		if b := g.core.take(now, &e); b != nil {
			g.unlock(&e)
			g.begin(&b.span, b.firstAt, now)
			return &Batch[T]{Items: b.items[b.off:], q: q, b: b, age: now - b.firstAt, why: b.reason}, nil
		}
		if g.core.closing {
			g.unlock(&e)
			return nil, ErrClosed
		}
		if !wait {
			g.unlock(&e)
			return nil, ErrEmpty
		}
		if g.cfg.PreciseLinger && g.spinLocked(&now, &e) {
			continue
		}
		if t == nil {
			t = q.free.Get().(*taker)
		}
		at, woken := g.parkLocked(ctx, t, &e)
		if !woken {
			g.unlock(&e)
			return nil, ctxerr.From(ctx)
		}
		now = at
	}
}

// All returns an iterator over the batches, each with a nil error. It
// releases each batch when the loop's body is left. It ends when the Queue is
// closed and empty; if ctx is done first, it yields a nil batch and ctx.Err() and
// ends.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[*Batch[T], error] {
	return func(yield func(*Batch[T], error) bool) {
		for {
			b, err := q.Recv(ctx)
			switch {
			case errors.Is(err, ErrClosed):
				return
			case err != nil:
				yield(nil, err)
				return
			}
			if !q.yieldOne(b, yield) {
				return
			}
		}
	}
}

func (q *Queue[T]) yieldOne(b *Batch[T], yield func(*Batch[T], error) bool) bool {
	defer b.release()
	return yield(b, nil)
}

// Reason says what cut the batch.
func (b *Batch[T]) Reason() Reason { return b.why }

// Age returns how old the batch's first item was when Recv returned it.
func (b *Batch[T]) Age() time.Duration { return b.age }

// Release gives the batch back: its items count as processed, which is what
// Flush and Shutdown wait for, and its slice will be cleared and used again. A
// second Release panics.
func (b *Batch[T]) Release() {
	if !b.release() {
		panic("batchchan: Batch released twice")
	}
}

func (b *Batch[T]) release() bool {
	if b.b == nil {
		return false
	}
	g := b.q.g
	var e effects[T]
	g.finish(b.b, g.now())
	g.mu.lock()
	g.core.complete(b.b, &e)
	g.core.end(&e)
	g.unlock(&e)
	b.b, b.Items = nil, nil
	return true
}

// Flush makes everything accepted so far due and waits until it was received and
// released.
func (q *Queue[T]) Flush(ctx context.Context) error { return q.g.flush(ctx) }

// Close refuses new items: sends return ErrClosed, also those that wait. Unlike
// Batcher.Close it does not wait, as there may be nobody to wait for: what was
// accepted is still received. It returns nil and may be called again.
func (q *Queue[T]) Close() error {
	q.g.beginClose()
	return nil
}

// Shutdown closes the Queue and waits until everything was received and
// released. If ctx is done first it returns what was not received, oldest first,
// and an error that says how much was left undone; receivers get ErrClosed.
func (q *Queue[T]) Shutdown(ctx context.Context) (undelivered []T, err error) {
	return q.g.shutdown(ctx)
}

// Done returns a channel that is closed when the Queue was closed and every item
// was received and released or handed back.
func (q *Queue[T]) Done() <-chan struct{} { return q.g.done }

// Stats returns a consistent snapshot. Delivered means received; Succeeded means
// released; Processing is the time in between.
func (q *Queue[T]) Stats() Stats { return q.g.stats() }
