package jetstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
)

// longestReason bounds what a dead letter and a termination say, in bytes.
const longestReason = 1024

// worn returns an error if h was delivered too often already: those who had it
// died with it, or could not store its dead letter.
func (w *Worker) worn(h *held) error {
	if w.cfg.MaxDeliver == 0 || h.d.Delivered <= w.cfg.MaxDeliver {
		return nil
	}
	return fmt.Errorf("jetstream: delivered %d times, and %d is the most: those who had it did not settle it", h.d.Delivered, w.cfg.MaxDeliver)
}

// conclude does what a handler's result asks for.
func (w *Worker) conclude(ctx context.Context, h *held, err error) {
	if err != nil {
		w.fail(ctx, h, err)
		return
	}
	w.succeeded(h)
}

// succeeded has h acknowledged, whose handler returned nil.
func (w *Worker) succeeded(h *held) {
	if w.ledger.succeed(h, time.Now()) {
		w.acks.send(h)
	}
}

// fail gives h up, or has it delivered again.
func (w *Worker) fail(ctx context.Context, h *held, err error) {
	defer w.tell(ctx, h.d, err)
	defer w.unsettled(h)
	defer w.contain()
	ending := w.ctx.Err() != nil // cancelled by Shutdown: it is not the message's fault
	switch {
	case errors.Is(err, ErrTerminal), w.cfg.MaxDeliver > 0 && h.d.Delivered >= w.cfg.MaxDeliver && !ending:
		w.giveUp(ctx, h, err)
	case !w.ledger.finish(h, endFailed, time.Now()):
	case ending:
		w.nak(h.msg, 0)
	default:
		w.again(h)
	}
}

// unsettled hands h back if nothing else has become of it: a method of a handler's error
// has panicked or has ended the goroutine.
func (w *Worker) unsettled(h *held) {
	if w.ledger.finish(h, endFailed, time.Now()) {
		w.again(h)
	}
}

// again hands h back, which the ledger has ended, for after its Backoff.
func (w *Worker) again(h *held) {
	after := time.Second // if Backoff panics, or ends the goroutine
	defer func() { w.nak(h.msg, after) }()
	defer w.contain()
	after = max(w.cfg.Backoff(h.d.Delivered), 0)
}

// giveUp stores h's dead letter and terminates h. If the letter cannot be stored h
// is handed back: the next delivery tries again, without calling the handler.
func (w *Worker) giveUp(ctx context.Context, h *held, reason error) {
	e, text := endTerminated, oneLine(reason) // while h is held: Error is the user's
	if w.cfg.DeadLetter != "" {
		e = endDeadLettered
		if !w.ledger.running(h, time.Now()) {
			return
		}
		if err := w.storeDeadLetter(h, text); err != nil {
			defer w.tell(ctx, h.d, fmt.Errorf("jetstream: dead letter to %q: %w", w.cfg.DeadLetter, err))
			if w.ledger.finish(h, endFailed, time.Now()) {
				w.again(h)
			}
			return
		}
	}
	if w.ledger.finish(h, e, time.Now()) && w.cfg.Conn.IsConnected() {
		_ = w.cfg.Conn.Publish(h.msg.Reply, termWord(text))
	}
}

// storeDeadLetter stores a copy of h. Its ID makes it one letter if that is done
// again.
func (w *Worker) storeDeadLetter(h *held, reason string) error {
	header := make(nats.Header, len(h.d.Header)+8)
	maps.Copy(header, h.d.Header)
	maps.DeleteFunc(header, func(k string, _ []string) bool {
		return strings.HasPrefix(k, "Nats-") || !sendable(k) // what they asked of the first stream, and what other clients send
	})
	seq := strconv.FormatUint(h.d.Sequence, 10)
	for k, v := range map[string]string{
		HeaderReason: reason, HeaderSubject: h.d.Subject, HeaderStream: h.d.Stream,
		HeaderConsumer: w.cfg.Consumer, HeaderSequence: seq, HeaderDelivered: strconv.Itoa(h.d.Delivered),
		nats.MsgIdHdr: "dead." + h.d.Stream + "." + w.cfg.Consumer + "." + seq,
	} {
		header.Set(k, v)
	}
	// Not bound to the handlers' ctx: that a Shutdown gives up is no reason to lose it.
	ctx, cancel := context.WithTimeout(context.Background(), min(w.src.wait, 5*time.Second))
	defer cancel()
	_, err := w.src.js.PublishMsg(ctx, &nats.Msg{Subject: w.cfg.DeadLetter, Header: header, Data: h.msg.Data}, njs.WithRetryAttempts(0))
	return err
}

// oneLine returns an error's text as a header may have it.
func oneLine(err error) string {
	s := fmt.Sprint(struct{ error }{err}) // which says so if Error panics
	if len(s) > longestReason {
		s = strings.ToValidUTF8(s[:longestReason], "")
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' || r == 0 }), " ")
}
