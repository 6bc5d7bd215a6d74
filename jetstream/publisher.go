package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// Publisher stores messages in the streams of a JetStream server. Messages that
// come together go together, and those of one Message.Key go in order. Make one
// with [NewPublisher].
//
// All methods are safe for concurrent use. A nil ctx panics.
type Publisher struct {
	_      nocopy.NoCopy
	cfg    PublisherConfig
	keyed  *batchchan.Keyed[lane, *letter]
	box    outbox
	hear   *replies
	turn   atomic.Uint32 // spreads letters without a key over the free lanes
	within inside        // those that run OnError
	free   sync.Once     // of hear
	freed  chan struct{} // closed after that
}

// lane is what letters pass through one batch at a time: a key's, in order, or
// one of those without an order.
type lane struct {
	key  string
	free uint32 // 1 to freeLanes; 0 means that key is the lane's
}

// freeLanes are enough for one batch to be filled while another is under way, and
// few enough for batches to be large.
const freeLanes = 2

// NewPublisher returns a Publisher. It returns an error that names the first bad
// field of cfg, or that Conn is closed. The connection need not be up yet.
func NewPublisher(cfg PublisherConfig) (*Publisher, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Publisher{cfg: cfg, freed: make(chan struct{})}
	kc := batchchan.KeyedConfig[*letter]{Config: batchchan.Config[*letter]{
		Name: cfg.Name, MaxBatch: cfg.MaxBatch, MaxPending: cfg.MaxPending, MaxPendingBytes: cfg.MaxPendingBytes,
		Workers: freeLanes + cfg.Keys,
		// A letter counts its own attempts: those of a key that wait for the one in
		// front use up none.
		Retry:   batchchan.Retry{MaxAttempts: math.MaxInt, Backoff: cfg.Backoff, MaxBackoff: cfg.MaxBackoff, MaxAside: cfg.MaxPending},
		OnError: p.failed,
	}}
	if cfg.MaxPendingBytes > 0 {
		kc.SizeOf = func(l *letter) int { return len(l.m.Data) }
	}
	var err error
	if p.hear, err = newReplies(cfg.Conn, freeLanes*cfg.MaxBatch+cfg.Keys); err != nil {
		return nil, fmt.Errorf("jetstream: Conn: %w", err)
	}
	p.keyed, err = batchchan.NewKeyed(kc, func(l *letter) lane { return l.lane }, p.sendBatch)
	if err != nil {
		p.hear.close()
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return p, nil
}

// Publish stores m under subject and waits until the server has acknowledged it.
// With no room for it, it first waits for that.
//
// When ctx ends, Publish returns an error that matches ctx.Err() and
// [context.Cause]: a message that was not sent yet never will be; one that was may
// have been stored. After Close or Shutdown began it returns ErrClosed, and for a
// message that the server could not take ErrTooLarge. A failure wraps what the
// server or the connection said; an error other than the server's refusal leaves
// open whether the message was stored, and a Publish with the same ID settles it. In
// OnError it returns ErrInside: what it would wait for may wait for OnError. Use Send
// there.
func (p *Publisher) Publish(ctx context.Context, subject string, m Message) (Ack, error) {
	if p.within.ctx() != nil {
		p.box.reject()
		return Ack{}, fmt.Errorf("jetstream: publish to %q: %w", subject, ErrInside)
	}
	l := &letter{m: m, answer: make(chan outcome, 1)}
	if err := p.offer(ctx, subject, l, p.keyed.Send); err != nil {
		return Ack{}, err
	}
	select {
	case out := <-l.answer:
		return out.ack, out.err
	case <-ctx.Done():
		p.box.leave(l)
		return Ack{}, fmt.Errorf("jetstream: publish to %q: %w", subject, ctxerr.From(ctx))
	}
}

// Send is Publish that does not wait for the server: nil means that m was
// accepted, and it will be stored, handed to OnError, or handed back by Shutdown.
// With no room for m it waits for that, until ctx ends or the Publisher is closed.
// OnError may call it with the ctx that it was given: where there is no room it
// then returns ErrFull.
func (p *Publisher) Send(ctx context.Context, subject string, m Message) error {
	return p.offer(ctx, subject, &letter{m: m}, p.keyed.Send)
}

// TrySend is Send that never waits: with no room it returns ErrFull. ctx is for
// Inject.
func (p *Publisher) TrySend(ctx context.Context, subject string, m Message) error {
	return p.offer(ctx, subject, &letter{m: m}, func(_ context.Context, l *letter) error { return p.keyed.TrySend(l) })
}

// Flush waits until everything accepted so far has been acknowledged or has failed,
// or until ctx ends. In OnError it returns ErrInside.
func (p *Publisher) Flush(ctx context.Context) error {
	ctxerr.NotNil(ctx, "jetstream")
	if p.within.ctx() != nil {
		return ErrInside
	}
	err := p.keyed.Flush(ctx)
	var failed *batchchan.FailedError
	if errors.As(err, &failed) { // its owners know
		return nil
	}
	return p.translate(ctx, err)
}

// Close refuses new messages, waits until those accepted are acknowledged or have
// failed, and releases everything. It returns nil and may be called again.
func (p *Publisher) Close() error {
	_, err := p.Shutdown(context.Background())
	return err
}

// Shutdown is Close until ctx ends. Then it returns what was accepted by Send and
// has not been acknowledged, in the order of acceptance, with a *ShutdownError;
// each Publish that still waits returns ErrClosed. Some of those messages may have
// been stored: sending them again with their IDs, which they have, settles that. Of
// several calls one gets the messages.
func (p *Publisher) Shutdown(ctx context.Context) (unacknowledged []Message, err error) {
	ctxerr.NotNil(ctx, "jetstream")
	if in := p.within.ctx(); in != nil {
		ctx = in // by which it is recognised below
	}
	_, err = p.keyed.Shutdown(ctx)
	if errors.Is(err, batchchan.ErrInside) {
		return nil, ErrInside
	}
	p.free.Do(func() { go p.release() })
	var cut *batchchan.ShutdownError
	short := errors.As(err, &cut)
	if !short {
		select {
		case <-p.freed:
		case <-ctx.Done(): // another Shutdown was cut short, and something still runs
			short = true
		}
	}
	back, n := p.box.empty(ErrClosed, time.Now())
	if n == 0 && !short {
		return nil, nil
	}
	return back, &ShutdownError{Name: p.cfg.Name, Messages: n, Cause: ctxerr.From(ctx), publisher: true}
}

// Done returns a channel that is closed when the Publisher was closed and has
// released everything.
func (p *Publisher) Done() <-chan struct{} { return p.freed }

func (p *Publisher) release() {
	<-p.keyed.Done()
	p.hear.close()
	close(p.freed)
}

// offer gives l to the batcher.
func (p *Publisher) offer(ctx context.Context, subject string, l *letter, send func(context.Context, *letter) error) error {
	ctxerr.NotNil(ctx, "jetstream")
	l.m.Subject = subject
	if err := errors.Join(carried("Key", l.m.Key), carried("ID", l.m.ID)); err != nil {
		p.box.reject()
		return fmt.Errorf("jetstream: publish to %q: %w", subject, err)
	}
	if l.m.ID == "" {
		l.m.ID = nuid.Next()
	}
	l.lane = lane{key: l.m.Key}
	if l.m.Key == "" {
		l.lane.free = 1 + p.turn.Add(1)%freeLanes
	}
	if p.cfg.Inject != nil {
		h := nats.Header{}
		for k, v := range l.m.Header {
			h[k] = v
		}
		p.cfg.Inject(ctx, h)
		l.m.Header = h
	}
	// A connection that was never up has not been told the limit.
	if limit, size := p.cfg.Conn.MaxPayload(), payload(l.m.wire()); limit > 0 && size > limit {
		p.box.reject()
		return fmt.Errorf("%w: publish to %q: %d bytes with headers, the server takes %d", ErrTooLarge, subject, size, limit)
	}
	p.box.offer(l, time.Now())
	decided := false
	defer func() {
		if !decided { // a method of ctx has panicked or has ended the goroutine
			p.box.drop(l)
		}
	}()
	err := p.translate(ctx, send(ctx, l))
	decided = true
	switch {
	case err != nil:
		p.box.settle(l, fateRejected, outcome{err: err}, time.Now())
	case !p.box.accept(l):
		err = ErrClosed
	default:
		return nil
	}
	return fmt.Errorf("jetstream: publish to %q: %w", subject, err)
}

// payload is what counts towards the server's limit: m without its subject.
func payload(m *nats.Msg) int64 { return int64(m.Size() - len(m.Subject) - len(m.Reply)) }

// translate gives batchchan's errors this package's names.
func (p *Publisher) translate(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, batchchan.ErrClosed):
		return ErrClosed
	case errors.Is(err, batchchan.ErrFull):
		return ErrFull
	case errors.Is(err, batchchan.ErrTooLarge):
		return ErrTooLarge
	case errors.Is(err, batchchan.ErrInside):
		return ErrInside
	case ctx.Err() != nil:
		return ctxerr.From(ctx)
	}
	return err
}

// failed ends letters that failed for good. Those whose attempts a Shutdown has cut
// short have not: it hands them back.
func (p *Publisher) failed(ctx context.Context, err error, letters []*letter) {
	var key *batchchan.KeyError[lane]
	if errors.As(err, &key) {
		err = key.Err
	}
	if tooLarge(err) {
		err = fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	for _, l := range letters {
		if ctx.Err() != nil && !l.over {
			continue
		}
		err := fmt.Errorf("jetstream: publish to %q: %w", l.m.Subject, err)
		if p.box.settle(l, fateFailed, outcome{err: err}, time.Now()) && l.answer == nil && p.cfg.OnError != nil {
			p.tell(ctx, l.m, err)
		}
	}
}

func (p *Publisher) tell(ctx context.Context, m Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			p.box.panicked()
		}
	}()
	defer p.within.enter(ctx)()
	p.cfg.OnError(ctx, m, err)
}
