package jetstream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
)

// fetch asks for messages until it is told to stop. A hook that ends the goroutine
// ends one request only.
func (w *Worker) fetch() {
	stopped := false
	defer func() {
		if stopped {
			close(w.fetching)
		} else {
			go w.fetch()
		}
	}()
	for fails := 0; ; {
		n := w.places()
		if n == 0 {
			break
		}
		err := w.request(n)
		if err == nil || errors.Is(err, nats.ErrTimeout) {
			fails = 0
			continue
		}
		w.fetchErrors.Add(1)
		w.tell(w.ctx, nil, fmt.Errorf("jetstream: fetch: %w", err))
		fails++
		select {
		case <-time.After(min(10*time.Millisecond<<min(fails, 7), time.Second)):
		case <-w.stopFetch:
		}
	}
	stopped = true
}

// request asks for as many messages as there are free places, never for more: what
// a client holds beyond what it can keep alive grows old in its buffer and is
// delivered to others, too. It ends by itself, soon, and is never cancelled: what
// the server sends into a cancelled request is lost until AckWait.
func (w *Worker) request(n int) error {
	got := 0
	defer func() {
		for range n - got {
			<-w.ledger.slots
		}
	}()
	asked := time.Now()
	batch, err := w.src.consumer.Fetch(n, njs.FetchMaxWait(min(time.Second, w.src.wait/4)))
	if err != nil {
		return err
	}
	for m := range batch.Messages() {
		got++
		w.take(m, asked)
	}
	return batch.Error()
}

// places waits for a free place and takes all that there are, up to what one
// request may ask for. It returns 0 when fetching is to stop.
func (w *Worker) places() int {
	select {
	case <-w.stopFetch:
		return 0
	default:
	}
	select {
	case w.ledger.slots <- struct{}{}:
	case <-w.stopFetch:
		return 0
	}
	for n := 1; ; n++ {
		if n == w.src.most {
			return n
		}
		select {
		case w.ledger.slots <- struct{}{}:
		default:
			return n
		}
	}
}

// take enters a message, for which there is a place, and has it run.
func (w *Worker) take(m njs.Msg, asked time.Time) {
	d, err := newDelivery(m)
	if err != nil { // not JetStream's
		w.fetchErrors.Add(1)
		<-w.ledger.slots
		w.tell(w.ctx, nil, err)
		return
	}
	h := &held{msg: m, d: d}
	if !w.ledger.add(h, asked, time.Now()) {
		w.nak(h, 0)
		return
	}
	if w.cfg.Key == nil || w.setKey(h) {
		w.exec.submit(h)
	}
}

// setKey asks for h's key. It reports false if Key failed, and h with it.
func (w *Worker) setKey(h *held) (ok bool) {
	defer func() {
		if ok {
			return
		}
		err := ErrGoexit
		if r := recover(); r != nil {
			w.panics.Add(1)
			err = &PanicError{Package: "jetstream", Name: w.cfg.Name, Func: "Key", Label: h.d.Subject, Value: r, Stack: debug.Stack()}
		}
		if w.ledger.start(h, func(error) {}, time.Now()) {
			w.fail(w.ctx, h, err)
		}
	}()
	h.key = w.cfg.Key(h.d)
	return true
}

// handlerContext returns the ctx of a call of the handler.
func (w *Worker) handlerContext(parent context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	if w.cfg.TaskTimeout == 0 {
		return ctx, cancel
	}
	timed, stop := context.WithTimeoutCause(ctx, w.cfg.TaskTimeout, ErrTimeout)
	return timed, func(cause error) {
		cancel(cause)
		stop()
	}
}
