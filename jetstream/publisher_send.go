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

// glance is how often a wait for answers looks whether the connection is still the
// one that the messages went through. What went through another is not answered.
const glance = 50 * time.Millisecond

// sendBatch sends a batch of one lane and waits for the acknowledgements. What it
// returns says which letters failed and which are to be sent again.
func (p *Publisher) sendBatch(ctx context.Context, at lane, letters []*letter) error {
	var failed batchchan.ItemErrors
	if at.free != 0 {
		p.sendTogether(ctx, letters, func(i int, err error) { p.blame(&failed, i, letters[i], err) })
		return failed.Err()
	}
	// A key's: each after the one before has been acknowledged or has failed for good.
	for i := range letters {
		again := false
		p.sendTogether(ctx, letters[i:i+1], func(_ int, err error) { again = p.blame(&failed, i, letters[i], err) })
		if again {
			for j := i + 1; j < len(letters); j++ {
				failed.Retry(j, errBehind)
			}
			break
		}
	}
	return failed.Err()
}

// sendTogether sends letters, waits for what the server says, settles those that it
// acknowledges and calls bad for the others.
func (p *Publisher) sendTogether(ctx context.Context, letters []*letter, bad func(i int, err error)) {
	round := p.hear.begin(len(letters))
	defer round.end()
	under := make([]bool, len(letters)) // sent, and not answered
	left, reconnects := 0, p.cfg.Conn.Stats().Reconnects
	for i, l := range letters {
		if !p.box.send(l) {
			continue
		}
		if err := p.post(l, round.subject(i)); err != nil {
			bad(i, err)
			continue
		}
		under[i] = true
		left++
	}
	if left == 0 {
		return
	}
	timeout, look := time.NewTimer(p.cfg.Timeout), time.NewTicker(glance)
	defer timeout.Stop()
	defer look.Stop()
	var err error // that ends the wait
	for left > 0 && err == nil {
		select {
		case a := <-round.answers:
			if a.i < 0 || a.i >= len(under) || !under[a.i] {
				continue
			}
			under[a.i] = false
			left--
			if a.err != nil {
				bad(a.i, a.err)
			} else {
				p.box.settle(letters[a.i], fateAcked, outcome{ack: a.ack}, time.Now())
			}
		case <-look.C:
			err = p.down(reconnects)
		case <-timeout.C:
			err = nats.ErrTimeout
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	for i, waits := range under {
		if waits {
			bad(i, err)
		}
	}
}

// post sends l. While the connection is down it does not: the client would keep
// the message and send it at a time when that is no longer expected.
func (p *Publisher) post(l *letter, reply string) error {
	if !p.cfg.Conn.IsConnected() {
		return p.down(0)
	}
	m := l.m.wire()
	m.Reply = reply
	return p.cfg.Conn.PublishMsg(m)
}

// down says why what was sent after so many reconnects will not be answered.
func (p *Publisher) down(reconnects uint64) error {
	switch {
	case p.cfg.Conn.IsClosed():
		return nats.ErrConnectionClosed
	case !p.cfg.Conn.IsConnected(), p.cfg.Conn.Stats().Reconnects != reconnects:
		return nats.ErrDisconnected
	}
	return nil
}

// blame enters that letter i failed with err, and reports whether it is to be sent
// again.
func (p *Publisher) blame(failed *batchchan.ItemErrors, i int, l *letter, err error) (again bool) {
	if l.attempts >= p.cfg.MaxAttempts || refused(err) {
		l.over = true
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
		errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported), errors.Is(err, nats.ErrBadHeaderMsg):
		return true
	}
	return false
}

// tooLarge says whether the client or the server refused a message for its size.
func tooLarge(err error) bool {
	const exceedsStream = 10054 // the server's JSStreamMessageExceedsMaximumErr
	var api *njs.APIError
	return errors.Is(err, nats.ErrMaxPayload) || errors.As(err, &api) && api.ErrorCode == exceedsStream
}
