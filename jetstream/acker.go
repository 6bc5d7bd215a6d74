package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/poundlock/poundlock/batchchan"
)

var (
	errDown        = errors.New("jetstream: the connection is down")
	errUnconfirmed = errors.New("jetstream: the server did not confirm the acknowledgement")
)

// What the server is told about a message, as its protocol has it.
var (
	ackWord   = []byte("+ACK")
	aliveWord = []byte("+WPI")
)

// nakWord hands a message back, for after that time.
func nakWord(after time.Duration) []byte {
	if after <= 0 {
		return []byte("-NAK")
	}
	return fmt.Appendf(nil, `-NAK {"delay": %d}`, after)
}

// termWord gives a message up. reason is one line.
func termWord(reason string) []byte { return []byte("+TERM " + reason) }

// acker tells the server of handled messages: those that come while it does go
// together, so that they share a round trip. A message is held until the server
// knows.
type acker struct {
	nc     *nats.Conn
	double bool
	wait   time.Duration
	ledger *ledger
	batch  *batchchan.Batcher[*held]
}

func newAcker(cfg *Config, l *ledger) (*acker, error) {
	a := &acker{nc: cfg.Conn, double: cfg.DoubleAck, wait: l.wait, ledger: l}
	var err error
	a.batch, err = batchchan.New(batchchan.Config[*held]{
		Name: cfg.Name, MaxBatch: 256, MaxPending: max(cfg.held(), 256),
		// So many wait for the server at a time that an acknowledgement hardly waits for those
		// before it. With 2, handlers of 1 ms got 0.92 of the plain loop's messages: bench -task 1ms.
		Workers: 16,
		// About one and a half AckWait: longer is no use.
		Retry: batchchan.Retry{MaxAttempts: 20, Backoff: min(20*time.Millisecond, l.wait/10), MaxBackoff: l.wait / 10},
		OnError: func(_ context.Context, _ error, hs []*held) {
			for _, h := range hs {
				l.confirm(h, endUnconfirmed)
			}
		},
	}, a.tell)
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return a, nil
}

// send has h acknowledged. There is room for all that is held.
func (a *acker) send(h *held) {
	if a.batch.Send(context.Background(), h) != nil {
		a.ledger.confirm(h, endUnconfirmed) // a handler that outlived Shutdown
	}
}

func (a *acker) flush(ctx context.Context) error { return a.batch.Flush(ctx) }

func (a *acker) close() { _ = a.batch.Close() }

// tell acknowledges a batch, but for those that others may have by now. A message's
// own Ack would refuse a second attempt, so the protocol's words are said here.
func (a *acker) tell(ctx context.Context, hs []*held) error {
	var failed batchchan.ItemErrors
	mine := a.ledger.acking(hs, time.Now())
	if len(mine) == 0 {
		return nil
	}
	say := a.sayAndFlush
	if a.double {
		say = a.sayAndHear
	}
	ctx, cancel := context.WithTimeout(ctx, a.wait/4)
	defer cancel()
	errs := say(ctx, hs, mine)
	a.ledger.confirmed(hs, mine, errs)
	for j, err := range errs {
		failed.Retry(mine[j], err) // nil does nothing
	}
	return failed.Err()
}

// sayAndFlush acknowledges hs[i] for each i in mine and returns an error, or nil,
// for each: the server that it is connected to has read all.
func (a *acker) sayAndFlush(ctx context.Context, hs []*held, mine []int) []error {
	errs, reconnects := make([]error, len(mine)), a.nc.Stats().Reconnects
	if !a.nc.IsConnected() { // the client would keep the words, and say them when others have the messages
		return fill(errs, errDown)
	}
	for j, i := range mine {
		errs[j] = a.nc.Publish(hs[i].msg.Reply, ackWord)
	}
	if err := flush(ctx, a.nc, reconnects); err != nil {
		return fill(errs, err)
	}
	return errs
}

// flush waits until the server has read what was said through a connection that had so many
// reconnects before. What was said through another one may be lost with it.
func flush(ctx context.Context, nc *nats.Conn, reconnects uint64) error {
	if err := nc.FlushWithContext(ctx); err != nil {
		return err
	}
	if nc.Stats().Reconnects != reconnects {
		return errDown
	}
	return nil
}

// sayAndHear is sayAndFlush that has an answer for each from the consumer's leader.
func (a *acker) sayAndHear(ctx context.Context, hs []*held, mine []int) []error {
	errs := fill(make([]error, len(mine)), errUnconfirmed)
	if !a.nc.IsConnected() {
		return fill(errs, errDown)
	}
	inbox := a.nc.NewInbox() + "."
	answers := make(chan *nats.Msg, len(mine))
	sub, err := a.nc.ChanSubscribe(inbox+"*", answers)
	if err != nil {
		return fill(errs, err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	left := 0
	for j, i := range mine {
		if err := a.nc.PublishRequest(hs[i].msg.Reply, inbox+strconv.Itoa(j), ackWord); err != nil {
			errs[j] = err
		} else {
			left++
		}
	}
	for ; left > 0; left-- {
		select {
		case m := <-answers:
			j, err := strconv.Atoi(m.Subject[len(inbox):])
			if err == nil && j >= 0 && j < len(errs) && m.Header.Get("Status") == "" { // else nobody listens
				errs[j] = nil
			}
		case <-ctx.Done():
			return errs
		}
	}
	return errs
}

func fill(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}
