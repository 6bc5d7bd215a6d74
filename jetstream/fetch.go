package jetstream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"
)

// fetch asks for messages until it is told to stop, and takes those that come. A
// hook that ends the goroutine ends no more than that.
func (w *Worker) fetch() {
	stopped := false
	defer w.within.enter(w.ctx)() // Key and OnError are called here
	defer func() {
		if stopped {
			w.pull.close()
			close(w.fetching)
		} else {
			go w.fetch()
		}
	}()
	w.fetchUntilStopped()
	stopped = true
}

// fetchUntilStopped never asks for more messages than there are free places: what
// a client holds beyond what it can keep alive grows old in its buffer and is delivered
// to others, too. Requests are short and never cancelled: what the server sends into a
// cancelled one is lost until AckWait.
func (w *Worker) fetchUntilStopped() {
	look := time.NewTicker(w.pull.expires / 4)
	defer look.Stop()
	for stop := w.stopFetch; stop != nil || w.pull.owed > 0; {
		select {
		case <-stop: // before places are taken that became free by that
			stop = nil
			continue
		default:
		}
		var place chan<- struct{}
		if stop != nil {
			w.ask()
			if w.pull.owed == 0 && !w.pull.paused(time.Now()) { // all places are taken
				place = w.ledger.slots
			}
		}
		select {
		case m := <-w.pull.in:
			w.received(m)
		case place <- struct{}{}:
			<-w.ledger.slots // for ask
		case now := <-look.C:
			free, err := w.pull.expired(now)
			w.freePlaces(free)
			if err != nil {
				w.fetchFailed(err)
			}
		case <-stop:
			stop = nil
		}
	}
}

// ask asks for messages if there are places for them. No one else takes places.
func (w *Worker) ask() {
	free, now := cap(w.ledger.slots)-len(w.ledger.slots), time.Now()
	if !w.pull.worth(free, cap(w.ledger.slots)) || w.pull.paused(now) {
		return
	}
	n := w.pull.room(free)
	for range n {
		w.ledger.slots <- struct{}{}
	}
	asked, err := w.pull.ask(n, now)
	w.freePlaces(n - asked)
	if err != nil {
		w.fetchFailed(err)
	}
}

func (w *Worker) freePlaces(n int) {
	for range n {
		<-w.ledger.slots
	}
}

func (w *Worker) fetchFailed(err error) {
	w.pull.failed(time.Now())
	if errors.Is(err, errDown) { // the connection's own hooks tell
		return
	}
	w.fetchErrors.Add(1)
	w.tell(w.ctx, nil, fmt.Errorf("jetstream: fetch: %w", err))
}

// received takes what the server has sent.
func (w *Worker) received(m *nats.Msg) {
	message, asked, free, err := w.pull.got(m)
	w.freePlaces(free)
	switch {
	case err != nil:
		w.fetchFailed(err)
	case message && asked.IsZero():
		w.nak(m, 0)
	case message:
		w.take(m, asked)
	}
}

// take enters a message, for which there is a place, and has it run.
func (w *Worker) take(m *nats.Msg, asked time.Time) {
	d, err := newDelivery(m)
	if err != nil { // not JetStream's
		w.fetchErrors.Add(1)
		<-w.ledger.slots
		w.tell(w.ctx, nil, err)
		return
	}
	h := &held{msg: m, d: d}
	if !w.ledger.add(h, asked, time.Now()) {
		w.late(h)
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
