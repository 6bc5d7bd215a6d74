// Package pipeline takes spans to an OTLP receiver, in batches and without allocating.
//
//	span.go      a span and its attributes; the pool of spans
//	wire.go      a span in OTLP's encoding
//	exporter.go  one call of the receiver; partial success; what may be tried again
//	pipeline.go  pool, batches and exporter together, and who gets a span back
//	receiver.go  an OTLP receiver in a few lines
package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/objpool"
)

// Options are what a Pipeline is made with.
type Options struct {
	Addr     string             // of the receiver, host:port
	Batch    int                // spans a call
	Linger   time.Duration      // how old a span gets before it is sent in a smaller batch
	Pending  int                // spans that may wait
	Overflow batchchan.Overflow // what happens when that many do
	// HandBack is told of each span that was not exported, and why. It must not keep
	// the span. nil means that the counts in Stats suffice.
	HandBack func(*Span, error)
}

// Pipeline takes spans to an OTLP receiver. Each span that ends is exported or handed
// back, whatever happens. All methods are safe for concurrent use; a Span belongs to
// one goroutine.
type Pipeline struct {
	spans    *objpool.Pool[*Span]
	batches  *batchchan.Batcher[*Span]
	out      *exporter
	handBack func(*Span, error)
}

// How a batch is tried again whose call failed: after RetryAfter, and then after twice
// as long each time, up to RetryAtMost.
const (
	RetryAfter  = 50 * time.Millisecond
	RetryAtMost = time.Second
)

// New returns a pipeline. It does not wait for the receiver.
func New(o Options) (*Pipeline, error) {
	p := &Pipeline{handBack: o.HandBack}
	var err error
	if p.out, err = newExporter(o.Addr, "shop"); err != nil {
		return nil, err
	}
	if p.spans, err = NewSpanPool(2*o.Pending + 1024); err != nil {
		return nil, errors.Join(err, p.out.conn.Close())
	}
	p.batches, err = batchchan.New(batchchan.Config[*Span]{
		Name: "spans", MaxBatch: o.Batch, Linger: o.Linger, MaxPending: o.Pending, Overflow: o.Overflow,
		Workers: 2, // one batch is encoded while another is on its way
		Timeout: 10 * time.Second,
		Retry:   batchchan.Retry{MaxAttempts: 20, Backoff: RetryAfter, MaxBackoff: RetryAtMost, Retryable: retryable},
		OnDrop:  func(s *Span, _ batchchan.DropReason) { p.giveBack(batchchan.ErrDropped, s) },
		OnError: func(_ context.Context, err error, spans []*Span) { p.giveBack(err, spans...) },
	}, p.export)
	if err != nil {
		return nil, errors.Join(err, p.out.conn.Close())
	}
	return p, nil
}

// Start returns a span that begins now.
func (p *Pipeline) Start(name string, kind uint64) *Span {
	s := p.spans.Get()
	s.Begin(name, kind)
	return s
}

// End ends the span and passes it on; the caller must not use it again. It waits for
// room only if Options.Overflow is Block.
func (p *Pipeline) End(s *Span) {
	s.Finish()
	if err := p.batches.Send(context.Background(), s); err != nil {
		p.giveBack(err, s)
	}
}

// export is the processor of the batches: one call of the receiver. If that fails as a
// whole, the batch is tried again or goes to OnError. What the receiver rejects must
// not be tried again, says OTLP: those are failed items of a batch that is done. As
// OTLP tells how many but not which, the count is right and the choice arbitrary.
func (p *Pipeline) export(ctx context.Context, spans []*Span) error {
	rejected, why, err := p.out.send(ctx, spans)
	if err != nil {
		return err
	}
	var failed batchchan.ItemErrors
	for i := range rejected {
		failed.Fail(i, why)
	}
	for _, s := range spans[rejected:] {
		p.spans.Put(s)
	}
	return failed.Err()
}

func (p *Pipeline) giveBack(err error, spans ...*Span) {
	for _, s := range spans {
		if p.handBack != nil {
			p.handBack(s, err)
		}
		p.spans.Put(s)
	}
}

// Stats returns the books: Accepted = Succeeded + Failed + DroppedOldest +
// Undelivered once the pipeline has ended.
func (p *Pipeline) Stats() batchchan.Stats { return p.batches.Stats() }

// Spans returns the figures of the pool of spans. Outstanding are those that the caller
// has and those that wait.
func (p *Pipeline) Spans() objpool.Stats { return p.spans.Stats() }

// Shutdown refuses new spans and exports those that wait until ctx is done. Then it
// cancels the calls and hands the rest back; the error says how many.
func (p *Pipeline) Shutdown(ctx context.Context) error {
	left, err := p.batches.Shutdown(ctx)
	p.giveBack(batchchan.ErrClosed, left...)
	<-p.batches.Done() // a cancelled call returns at once
	return errors.Join(err, p.out.conn.Close(), p.spans.Close())
}
