package batchchan

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// Producer is one goroutine's fast lane into a [Batcher] or a [Queue]: it
// collects up to 64 items before it takes the shared lock (with a negative Linger,
// MaxBatch if that is less). Its items are accepted when Send returns nil, as those
// of Batcher.Send: they count as pending, age towards Linger, reach a worker that is
// free, and are processed by Flush and Close even if the Producer is never used
// again. Only the size trigger sees them late, when the lane is full.
//
// Items of one Producer keep their order. A Producer's methods must not be called
// at the same time.
type Producer[T any] struct {
	g *engine[T]
	l *lane[T]
	_ nocopy.NoCopy
}

// Producer returns a new fast lane. It needs no Close to be freed.
func (b *Batcher[T]) Producer() *Producer[T] { return &Producer[T]{g: b.g, l: b.g.newLane(true)} }

// Send is Batcher.Send through the lane. After Close it returns ErrClosed.
func (p *Producer[T]) Send(ctx context.Context, item T) error {
	notNil(ctx)
	if ctx.Err() != nil {
		return ctxerr.From(ctx)
	}
	if p.l.put(item) {
		return nil
	}
	return p.g.sendLaneSlow(ctx, p.l, item)
}

// Flush hands the lane's items over to the Batcher, where the size trigger sees
// them. It does not wait for them to be processed: Batcher.Flush does.
func (p *Producer[T]) Flush() {
	var e effects[T]
	p.g.mu.lock()
	p.l.mu.lock()
	p.g.core.drain(p.l, &e)
	p.l.mu.unlock()
	p.g.unlock(&e)
}

// Close hands the lane's items over; Sends after it return ErrClosed. It does
// not wait and does not close the Batcher. It returns nil.
func (p *Producer[T]) Close() error {
	p.g.mu.lock()
	p.l.closed = true
	p.g.mu.unlock()
	p.Flush()
	return nil
}
