package jetstream

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"github.com/poundlock/poundlock/batchchan"
)

// errBehind is the error of letters that wait for one of their key in front of them.
var errBehind = errors.New("jetstream: waits for a message of its key")

// sendBatch sends a batch of one lane and waits for the acknowledgements. What it
// returns says which letters failed and which are to be sent again.
func (p *Publisher) sendBatch(ctx context.Context, at lane, letters []*letter) error {
	if at.free == 0 {
		return p.sendInOrder(ctx, letters)
	}
	var failed batchchan.ItemErrors
	acks := make([]njs.PubAckFuture, len(letters))
	for i, l := range letters {
		if !p.box.send(l) {
			continue
		}
		var err error
		if acks[i], err = p.start(l); err != nil {
			p.blame(&failed, i, l, err)
		}
	}
	for i, l := range letters {
		if acks[i] == nil {
			continue
		}
		if err := p.wait(ctx, l, acks[i]); err != nil {
			p.blame(&failed, i, l, err)
		}
	}
	return failed.Err()
}

// sendInOrder sends each letter after the one before has been acknowledged or has
// failed for good.
func (p *Publisher) sendInOrder(ctx context.Context, letters []*letter) error {
	var failed batchchan.ItemErrors
	for i, l := range letters {
		if !p.box.send(l) {
			continue
		}
		ack, err := p.start(l)
		if err == nil {
			err = p.wait(ctx, l, ack)
		}
		if err != nil && p.blame(&failed, i, l, err) {
			for j := i + 1; j < len(letters); j++ {
				failed.Retry(j, errBehind)
			}
			break
		}
	}
	return failed.Err()
}

// start sends l. While the connection is down it does not: the client would keep
// the message and send it at a time when that is no longer expected.
func (p *Publisher) start(l *letter) (njs.PubAckFuture, error) {
	if !p.cfg.Conn.IsConnected() {
		if p.cfg.Conn.IsClosed() {
			return nil, nats.ErrConnectionClosed
		}
		return nil, nats.ErrDisconnected
	}
	if p.first.Load() == nil {
		now := time.Now()
		p.first.CompareAndSwap(nil, &now)
	}
	return p.js.PublishMsgAsync(l.m.wire(), njs.WithRetryAttempts(0))
}

// wait waits for l's acknowledgement and settles it.
func (p *Publisher) wait(ctx context.Context, l *letter, f njs.PubAckFuture) error {
	select {
	case a := <-f.Ok():
		p.box.settle(l, fateAcked, outcome{ack: Ack{a.Stream, a.Sequence, a.Duplicate}}, time.Now())
		return nil
	case err := <-f.Err():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// blame enters that letter i failed with err, and reports whether it is to be sent
// again.
func (p *Publisher) blame(failed *batchchan.ItemErrors, i int, l *letter, err error) (again bool) {
	if l.attempts >= p.cfg.MaxAttempts || refused(err) {
		failed.Fail(i, err)
		return false
	}
	failed.Retry(i, err)
	return true
}

// refused says whether another attempt would fail as well.
func refused(err error) bool {
	var api *njs.APIError
	switch {
	case errors.As(err, &api):
		return api.Code < 500 // 5xx: no leader, no resources: it may pass
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrMaxPayload),
		errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return true
	}
	return false
}
