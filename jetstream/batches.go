package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/batchchan"
)

// batches runs messages in batches on a batchchan.
type batches struct {
	w     *Worker
	batch batcher
	turn  uint32 // of the free lanes; the fetcher's own
	begun atomic.Uint64
}

// batcher is a batchchan.Batcher, or with keys a batchchan.Keyed.
type batcher interface {
	Send(ctx context.Context, h *held) error
	Flush(ctx context.Context) error
	Close() error
}

func newBatches(w *Worker) (*batches, error) {
	e := &batches{w: w}
	cfg := batchchan.Config[*held]{
		Name: w.cfg.Name, MaxBatch: w.cfg.MaxBatch, Linger: w.cfg.Linger, MaxPending: w.cfg.held(), Workers: w.cfg.Workers,
	}
	var err error
	if w.cfg.Key == nil {
		e.batch, err = batchchan.New(cfg, e.run)
	} else {
		e.batch, err = batchchan.NewKeyed(batchchan.KeyedConfig[*held]{Config: cfg}, e.laneOf,
			func(ctx context.Context, _ lane, hs []*held) error { return e.run(ctx, hs) })
	}
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return e, nil
}

// laneOf is called by the fetcher alone.
func (e *batches) laneOf(h *held) lane {
	if h.key != "" {
		return lane{key: h.key}
	}
	e.turn++
	return lane{free: 1 + e.turn%uint32(e.w.cfg.Workers)}
}

func (e *batches) submit(h *held) { _ = e.batch.Send(context.Background(), h) } // there is room

func (e *batches) wait(ctx context.Context) error {
	err := e.batch.Flush(ctx)
	if errors.Is(err, batchchan.ErrInside) {
		return ErrInside
	}
	return err
}

func (e *batches) close()        { _ = e.batch.Close() }
func (e *batches) calls() uint64 { return e.begun.Load() }

// run handles a batch. All its messages are settled in here, each once, so
// batchchan is told of no failure.
func (e *batches) run(ctx context.Context, hs []*held) error {
	ctx, cancel := e.w.handlerContext(ctx)
	defer cancel(nil)
	defer e.w.within.enter(ctx)()
	defer context.AfterFunc(e.w.ctx, func() { cancel(context.Cause(e.w.ctx)) })()
	var live, worn []*held
	var why []error
	var ds []*Delivery
	for _, h := range hs {
		if !e.w.ledger.start(h, cancel, time.Now()) {
			continue
		}
		if err := e.w.worn(h); err != nil {
			worn, why = append(worn, h), append(why, err)
			continue
		}
		live = append(live, h)
		ds = append(ds, h.d)
	}
	err := ErrGoexit
	defer func() { e.conclude(ctx, live, err) }()
	e.failEach(ctx, worn, why)
	if len(live) == 0 {
		return nil
	}
	e.begun.Add(1)
	err = e.w.returned(e.call(ctx, ds), "")
	return nil
}

func (e *batches) call(ctx context.Context, ds []*Delivery) (err error) {
	err = errNotReturned
	defer e.w.recovered(&err, "")
	return e.w.cfg.HandleBatch(ctx, ds)
}

// conclude does what a handler's result asks for.
func (e *batches) conclude(ctx context.Context, hs []*held, err error) {
	each := fill(make([]error, len(hs)), err)
	defer func() { e.settle(ctx, hs, each) }() // also if a method of err panics or ends the goroutine
	defer e.w.contain()
	var parts *batchchan.ItemErrors
	if !errors.As(err, &parts) {
		return
	}
	named := make([]error, len(hs))
	for i, partErr := range parts.All() {
		if i < 0 || i >= len(hs) {
			fill(each, fmt.Errorf("jetstream: HandleBatch named message %d of a batch of %d: %w", i, len(hs), err))
			return
		}
		named[i] = partErr
	}
	copy(each, named)
}

// settle ends hs, of which those with an error failed.
func (e *batches) settle(ctx context.Context, hs []*held, each []error) {
	var bad []*held
	var why []error
	for i, h := range hs {
		if each[i] == nil {
			e.w.succeeded(h)
		} else {
			bad, why = append(bad, h), append(why, each[i])
		}
	}
	e.failEach(ctx, bad, why)
}

// failEach fails hs in their order. OnError may end the goroutine at any of them.
func (e *batches) failEach(ctx context.Context, hs []*held, why []error) {
	for i := range slices.Backward(hs) {
		defer e.w.fail(ctx, hs[i], why[i])
	}
}
