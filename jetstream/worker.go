package jetstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/poundlock/poundlock/internal/ctxerr"
	"github.com/poundlock/poundlock/internal/nocopy"
)

// Worker runs a handler for the messages of a consumer, which it shares with the
// Workers of other processes. Make one with [Start].
//
// A message that is held by a Worker is kept from others by heartbeats. If the
// server has heard nothing of it for the consumer's AckWait, as when the process was
// frozen or the connection was down, it may be with others: its handler is not
// called any more, or its ctx is cancelled with ErrLost, and the Worker tells the
// server nothing about it. (A process that freezes between that look at the clock
// and the write to the network still does; so handlers are idempotent.)
//
// All methods are safe for concurrent use. A nil ctx panics.
type Worker struct {
	_      nocopy.NoCopy
	cfg    Config
	src    *source
	pull   *puller
	ledger *ledger
	exec   executor
	acks   *acker

	ctx    context.Context // of handlers
	cancel context.CancelCauseFunc

	within    inside // those that fetch or handle batches; the pool knows its own
	back      returns
	begin     sync.Once
	stopFetch chan struct{}
	fetching  chan struct{} // closed when nothing is fetched any more
	stopBeat  chan struct{}
	beating   sync.WaitGroup
	done      chan struct{}

	panics, heartbeats, fetchErrors atomic.Uint64
}

// executor runs held messages. It has room for all that may be held.
type executor interface {
	submit(h *held)
	// wait waits until nothing runs, or returns ErrInside if it would wait for itself.
	wait(ctx context.Context) error
	// close waits until everything submitted has ended.
	close()
	// calls is how many calls of the handler have begun.
	calls() uint64
}

// graceAfterEnd is what Shutdown gives cancelled handlers to return, and what they
// said to reach the server.
const graceAfterEnd = time.Second

// Start starts a Worker. It returns an error that names the first bad field of cfg,
// or says what is wrong with the server, the stream, the consumer or the dead
// letter's subject; ctx bounds the asking only.
func Start(ctx context.Context, cfg Config) (*Worker, error) {
	ctxerr.NotNil(ctx, "jetstream")
	if err := cfg.check(); err != nil {
		return nil, err
	}
	src, err := open(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Name == "" {
		cfg.Name = cfg.Consumer
	}
	w := &Worker{
		cfg: cfg, src: src, ledger: newLedger(cfg.held(), src.wait, cfg.TaskTimeout),
		stopFetch: make(chan struct{}), fetching: make(chan struct{}), stopBeat: make(chan struct{}), done: make(chan struct{}),
	}
	w.ctx, w.cancel = context.WithCancelCause(context.Background())
	if w.exec, err = w.newExecutor(); err != nil {
		return nil, err
	}
	if w.acks, err = newAcker(&w.cfg, w.ledger); err != nil {
		w.exec.close()
		return nil, err
	}
	if w.pull, err = newPuller(&w.cfg, src); err != nil {
		w.exec.close()
		w.acks.close()
		return nil, err
	}
	go w.fetch()
	if !cfg.NoHeartbeats {
		w.beating.Go(w.beat)
	}
	return w, nil
}

// Close stops fetching, hands back at once what has not been started, waits for the
// handlers that run and for their acknowledgements, and releases everything. It may
// be called again. It returns ErrInside when a handler calls it.
func (w *Worker) Close() error { return w.Shutdown(context.Background()) }

// Shutdown is Close until ctx ends. Then it cancels the handlers' ctx and gives them
// and the last acknowledgements up to a second. What failed then is handed back; a
// message whose handler still runs, or whose acknowledgement has not arrived, is left
// to AckWait, which gives it to others. It returns a *ShutdownError then; do not close
// Config.Conn before Done is closed.
//
// Stopping takes up to a second also when nothing runs: a request for messages that
// is under way is not cancelled, since what the server sends into one would be lost
// until AckWait. What comes in that time is handed back at once, or, where it was
// delivered before, for after that time. With Config.Key nothing is handed back before
// that time is over, so that it comes to the next Worker in order.
func (w *Worker) Shutdown(ctx context.Context) error {
	ctxerr.NotNil(ctx, "jetstream")
	w.begin.Do(w.end)
	if w.within.ctx() != nil || errors.Is(w.exec.wait(ctx), ErrInside) {
		return ErrInside
	}
	select {
	case <-w.done:
		return nil
	default:
	}
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	cause := ctxerr.From(ctx)
	w.cancel(cause)
	w.ledger.cancelRunning(cause)
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceAfterEnd)
	defer cancel()
	if errors.Is(w.exec.wait(grace), ErrInside) { // who asks with a ctx that has ended is told that first
		return ErrInside
	}
	_ = w.acks.flush(grace)
	if w.cfg.Key != nil { // what goes back before nothing is fetched any more comes again, out of order
		select {
		case <-w.fetching:
		case <-grace.Done():
		}
	}
	running, unacked := w.ledger.abandon()
	w.handBack()
	_ = w.cfg.Conn.FlushWithContext(grace)
	return &ShutdownError{Name: w.cfg.Name, Running: running, Unacked: unacked, Cause: cause}
}

// Done returns a channel that is closed when the Worker was closed, the last handler
// has returned and everything is released.
func (w *Worker) Done() <-chan struct{} { return w.done }

// end begins the end: it does what Shutdown promises at once and leaves the rest,
// which waits, to a goroutine.
func (w *Worker) end() {
	close(w.stopFetch)
	w.back.add(w.ledger.close(time.Now())...)
	if w.cfg.Key == nil {
		w.handBack()
	}
	go func() {
		<-w.fetching
		w.handBack()
		w.exec.close()
		w.acks.close()
		close(w.stopBeat)
		w.beating.Wait()
		_ = w.cfg.Conn.FlushTimeout(graceAfterEnd) // what was handed back
		w.cancel(ErrClosed)
		close(w.done)
	}()
}

// nak hands m back, which is not in the ledger any more. While the connection is down
// it does not: the client would keep the word, and say it when others have m.
func (w *Worker) nak(m *nats.Msg, after time.Duration) {
	if w.cfg.Conn.IsConnected() {
		_ = w.cfg.Conn.Publish(m.Reply, nakWord(after))
	}
}

// beat keeps what is held from others: three times per AckWait it tells the server
// that it is being worked on.
func (w *Worker) beat() {
	every := time.NewTicker(w.src.wait / 3)
	defer every.Stop()
	for {
		select {
		case <-w.stopBeat:
			return
		case <-every.C:
		}
		at, reconnects := time.Now(), w.cfg.Conn.Stats().Reconnects
		live := w.ledger.beat(at)
		if len(live) == 0 || !w.cfg.Conn.IsConnected() {
			continue
		}
		for _, h := range live {
			if w.cfg.Conn.Publish(h.msg.Reply, aliveWord) == nil {
				w.heartbeats.Add(1)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), w.src.wait/4)
		if flush(ctx, w.cfg.Conn, reconnects) == nil {
			w.ledger.beaten(live, at)
		}
		cancel()
	}
}

// tell calls OnError.
func (w *Worker) tell(ctx context.Context, d *Delivery, err error) {
	if w.cfg.OnError == nil {
		return
	}
	defer w.contain()
	w.cfg.OnError(ctx, d, err)
}

// contain is deferred around functions of Config that are no handlers.
func (w *Worker) contain() {
	if r := recover(); r != nil {
		w.panics.Add(1)
	}
}
