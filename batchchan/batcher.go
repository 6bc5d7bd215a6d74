package batchchan

import (
	"context"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
	"github.com/poundlock/poundlock/internal/rt"
)

// Batcher collects items and gives them to a function in batches.
//
// Every item whose send returned nil reaches the function exactly once, unless
// the overflow policy drops it (then OnDrop has it) or Shutdown hands it back.
// Every other send returned an error and its item went nowhere.
//
// With one worker and no Shards, items are processed in the order in which they
// were accepted, so a goroutine's items keep their order. What a sender did
// before its send happens before the function's call with the item.
//
// All methods are safe for concurrent use. The function must not call Close: that
// would wait for itself. What else it calls it must give its own ctx: Flush and
// Shutdown then return ErrInside, and a Send that would have to wait for room, or to
// process a batch to make room, returns ErrFull.
type Batcher[T any] struct {
	g      *engine[T]
	shards []*lane[T] // a power of two; nil: one place
	_      nocopy.NoCopy
}

// New returns a Batcher that processes batches with fn. It returns an error that
// names the first bad field of cfg. No goroutine runs before the first item is
// sent. Call Close or Shutdown when done with it.
func New[T any](cfg Config[T], fn Func[T]) (*Batcher[T], error) {
	if fn == nil {
		return nil, errNoProcessor
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	call := processFunc[T](fn)
	var g *engine[T]
	g = newEngine(cfg, func(b *batch[T]) { g.execute(b, call) })
	return newBatcher(g), nil
}

func newBatcher[T any](g *engine[T]) *Batcher[T] {
	b := &Batcher[T]{g: g}
	if g.cfg.Shards > 1 && g.core.chunk > 0 {
		n := 1
		for n < g.cfg.Shards && n < 256 {
			n *= 2
		}
		for range n {
			b.shards = append(b.shards, g.newLane(false))
		}
	}
	return b
}

// Send hands item over. nil means that it was accepted; after an error it was
// not, and never will be. If there is no room, Send does what Config.Overflow
// says. With Block it waits for room, first come, first served; if Config.MaxWaiters
// wait already, it returns ErrFull.
//
// When ctx is done, before or while it waits, Send returns ctx.Err(). When
// Close or Shutdown has begun, or begins while it waits, it returns ErrClosed. With
// CallerRuns, ctx is looked at between the batches that Send processes.
func (b *Batcher[T]) Send(ctx context.Context, item T) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	g := b.g
	if b.shards != nil {
		return b.sendShard(ctx, item)
	}
	g.mu.lock()
	if len(g.core.backlog.buf) < g.core.backlog.room {
		g.core.backlog.buf = append(g.core.backlog.buf, item)
		g.mu.unlock()
		return nil
	}
	if g.cfg.SizeOf == nil {
		return g.sendSlow(ctx, item, 0, forever)
	}
	g.mu.unlock()
	return g.send(ctx, item, forever)
}

func (b *Batcher[T]) sendShard(ctx context.Context, item T) error {
	return b.g.sendLane(ctx, b.shards[rt.Stripe()&(len(b.shards)-1)], item)
}

// sendLane sends through a shard.
func (g *engine[T]) sendLane(ctx context.Context, l *lane[T], item T) error {
	l.mu.lock()
	if len(l.buf) < l.quota {
		l.buf = append(l.buf, item)
		l.mu.unlock()
		return nil
	}
	l.mu.unlock()
	return g.sendLaneSlow(ctx, l, item)
}

func (g *engine[T]) sendLaneSlow(ctx context.Context, l *lane[T], item T) error {
	var e effects[T]
	g.mu.lock()
	if l.closed {
		return g.rejectLocked(ErrClosed, &e)
	}
	if g.cfg.SizeOf != nil {
		g.unlock(&e)
		return g.send(ctx, item, forever)
	}
	if g.core.openLane(l, item, &e) {
		g.unlock(&e)
		return nil
	}
	return g.sendSlowWith(ctx, item, 0, forever, &e)
}

// TrySend is Send without waiting: where Send would wait, and where the policy
// is CallerRuns and there is no room, it returns ErrFull.
func (b *Batcher[T]) TrySend(item T) error {
	return b.g.send(context.Background(), item, noWait)
}

// SendTimeout is Send that waits for at most d and then returns ErrTimeout. A d
// that is not positive makes it TrySend. With CallerRuns it may be late by the batch
// that it is processing when the time passes.
func (b *Batcher[T]) SendTimeout(item T, d time.Duration) error {
	if d <= 0 {
		d = noWait
	}
	return b.g.send(context.Background(), item, d)
}

// SendMany sends items in order, in as few steps as possible and next to each
// other where there is room. It returns how many were accepted, the first n, and
// an error if that is not all of them: what Send of the next one returned. The
// others count as Rejected in Stats. The slice is not kept.
func (b *Batcher[T]) SendMany(ctx context.Context, items []T) (n int, err error) {
	return b.g.sendMany(ctx, items, forever)
}

// Flush makes everything accepted so far due and waits until it was processed,
// with its retries; what is sent meanwhile is not waited for. It returns ctx.Err()
// when ctx is done first, ErrClosed if Shutdown handed items back, and a
// *FailedError if items failed since the last report. A batch that is in
// a back-off when Flush begins is tried again at once. Any number of goroutines may flush at
// the same time: they share one wait.
func (b *Batcher[T]) Flush(ctx context.Context) error { return b.g.flush(ctx) }

// Close refuses new items, waits until everything accepted was processed, and
// ends all goroutines. Senders that wait get ErrClosed. If items failed since the
// last report it returns a *FailedError, else nil. It may be called again and at the
// same time. Use Shutdown to bound the wait.
func (b *Batcher[T]) Close() error { return b.g.close() }

// Shutdown is Close until ctx is done. If it is done first, Shutdown cancels the
// context of the function's running calls, takes back what never reached the
// function, oldest first, and returns it with a *ShutdownError that says how much
// was left undone and wraps ctx's cause. It does not wait for the running calls
// then; Done tells when they have returned. Of several calls one gets the items.
func (b *Batcher[T]) Shutdown(ctx context.Context) (undelivered []T, err error) {
	return b.g.shutdown(ctx)
}

// Done returns a channel that is closed when the Batcher was closed, nothing is
// left to process and the last call of the function has returned.
func (b *Batcher[T]) Done() <-chan struct{} { return b.g.done }

// Stats returns a consistent snapshot. It takes the senders' lock for some tens
// of nanoseconds; the counting itself costs senders nothing.
func (b *Batcher[T]) Stats() Stats { return b.g.stats() }
