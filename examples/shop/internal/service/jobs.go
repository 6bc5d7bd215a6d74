package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/workerpool"
)

// Priorities of the jobs.
const (
	later = iota // thumbnails
	soon         // mails
	now          // settlements: it is about money
	levels
)

// poolQueue is a Queue in the process: its jobs end with it.
type poolQueue struct {
	pool     *workerpool.Pool
	settle   *workerpool.View // settlements may have to wait for a service that is down
	handlers handlers
	log      *slog.Logger
}

// jobHandlers are those of the shop.
func jobHandlers(d *desk, mails io.Writer) handlers {
	return handlers{
		"mail":      func(_ context.Context, j Job) error { return goods.Mail(mails, j.Order) },
		"thumbnail": func(_ context.Context, j Job) error { _, err := goods.Thumbnail(j.ID); return err },
		"settle":    func(ctx context.Context, j Job) error { return d.settle(ctx, j.Order.Key) },
	}
}

func newPoolQueue(hs handlers, log *slog.Logger, see *sight) (*poolQueue, error) {
	pool, err := workerpool.New(workerpool.Config{Name: "jobs", MaxWorkers: 8, QueueSize: 4096, Priorities: levels})
	if err != nil {
		return nil, err
	}
	add(see, "jobs", pool)
	return &poolQueue{pool: pool, settle: pool.Limit(4), handlers: hs, log: log}, nil
}

// Put implements Queue. A settlement waits for room as long as it is of use.
func (q *poolQueue) Put(ctx context.Context, j Job) error {
	handle := q.handlers[j.Kind]
	if handle == nil {
		return fmt.Errorf("shop: no handler for jobs of kind %q", j.Kind)
	}
	if j.Kind == "settle" {
		once := handle
		handle = func(ctx context.Context, j Job) error { return persist(ctx, func() error { return once(ctx, j) }) }
	}
	var began atomic.Bool
	work := func(ctx context.Context) (struct{}, error) {
		began.Store(true)
		err := handle(ctx, j)
		if err != nil {
			q.log.Error("job failed", "kind", j.Kind, "order", j.Order.Key, "err", err)
		}
		return struct{}{}, err
	}
	// The job outlives the request that asked for it.
	ctx = context.WithoutCancel(ctx)
	opts := []workerpool.TaskOption{workerpool.WithTimeout(j.Within), workerpool.WithLabel(j.Kind)}
	if j.Kind == "thumbnail" { // may be left out
		_, err := workerpool.TryGo(ctx, q.pool, work, opts...)
		if errors.Is(err, workerpool.ErrFull) {
			return ErrQueueFull
		}
		return err
	}
	opts, wait := append(opts, workerpool.WithPriority(soon)), orderTimeout
	if j.Kind == "settle" {
		opts, wait = append(opts, workerpool.WithPriority(now), workerpool.WithView(q.settle)), j.Within
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	full := time.AfterFunc(wait, func() { giveUp(errNoRoom) })
	err := refused(workerpool.Go(ctx, q.pool, work, opts...), &began)
	if !full.Stop() { // also for one that was accepted just then: it is cancelled, or runs once more
		err = cmp.Or(err, errNoRoom)
	}
	if err != nil {
		q.log.Error("job not accepted", "kind", j.Kind, "order", j.Order.Key, "err", err)
	}
	return err
}

var errNoRoom = errors.New("shop: no room in the job queue")

// refused returns why a task was not accepted. What ends after it began is the handler's.
func refused(f *workerpool.Future[struct{}], began *atomic.Bool) error {
	select {
	case <-f.Done():
		if _, err := f.Wait(context.Background()); !began.Load() {
			return err
		}
	default:
	}
	return nil
}

// Shutdown implements Queue.
func (q *poolQueue) Shutdown(ctx context.Context) error { return q.pool.Shutdown(ctx) }

// persist calls f until it succeeds or ctx ends, with pauses that grow to 2 s.
func persist(ctx context.Context, f func() error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}
