package jetstream

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
)

// mostAnswers bounds the answers that may wait to be looked at. One more is dropped,
// and its message is sent again after Timeout.
const mostAnswers = 1 << 16

// replies receives what the server answers to a Publisher's messages, on one
// subscription for all of them. It is not the one that nats.go's PublishMsgAsync has: that
// one's goroutine can be left behind (v1.55, resetPendingAcksOnReconnect).
type replies struct {
	prefix string // of the subjects that answers go to
	sub    *nats.Subscription
	in     chan *nats.Msg
	stop   chan struct{}
	ended  chan struct{}

	mu     sync.Mutex
	number uint64            // guarded by mu; of the last round
	rounds map[uint64]*round // guarded by mu; those under way
}

// round is what is sent together and waited for together.
type round struct {
	all     *replies
	number  uint64
	answers chan answer // has room for one per message
}

// answer is what the server says to message i of a round.
type answer struct {
	i   int
	ack Ack
	err error
}

// newReplies subscribes. room is how many messages may be under way.
func newReplies(nc *nats.Conn, room int) (*replies, error) {
	r := &replies{
		prefix: nc.NewInbox() + ".", in: make(chan *nats.Msg, min(room, mostAnswers)),
		stop: make(chan struct{}), ended: make(chan struct{}), rounds: map[uint64]*round{},
	}
	var err error
	if r.sub, err = nc.ChanSubscribe(r.prefix+"*.*", r.in); err != nil {
		return nil, err
	}
	go r.receive()
	return r, nil
}

// close waits until nothing is received any more.
func (r *replies) close() {
	_ = r.sub.Unsubscribe() // fails if the connection is closed, which ends it as well
	close(r.stop)
	<-r.ended
}

func (r *replies) receive() {
	defer close(r.ended)
	for {
		select {
		case m := <-r.in:
			r.file(m)
		case <-r.stop:
			return
		}
	}
}

// file gives an answer to its round, if that is still under way.
func (r *replies) file(m *nats.Msg) {
	first, second, _ := strings.Cut(m.Subject[len(r.prefix):], ".")
	number, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		return // not the server's
	}
	i, err := strconv.Atoi(second)
	if err != nil {
		return
	}
	r.mu.Lock()
	at := r.rounds[number]
	r.mu.Unlock()
	if at == nil {
		return
	}
	ack, err := parseAck(m)
	select {
	case at.answers <- answer{i, ack, err}:
	default: // more answers than messages: not the server's
	}
}

// begin begins a round of n messages.
func (r *replies) begin(n int) *round {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number++
	at := &round{all: r, number: r.number, answers: make(chan answer, n)}
	r.rounds[at.number] = at
	return at
}

// end says that no more answers are waited for.
func (at *round) end() {
	at.all.mu.Lock()
	delete(at.all.rounds, at.number)
	at.all.mu.Unlock()
}

// subject is where the answer to message i goes.
func (at *round) subject(i int) string {
	return at.all.prefix + strconv.FormatUint(at.number, 10) + "." + strconv.Itoa(i)
}

// parseAck reads an answer.
func parseAck(m *nats.Msg) (Ack, error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" { // nobody listens
		return Ack{}, njs.ErrNoStreamResponse
	}
	var said struct {
		Error     *njs.APIError `json:"error"`
		Stream    string        `json:"stream"`
		Sequence  uint64        `json:"seq"`
		Duplicate bool          `json:"duplicate"`
	}
	switch err := json.Unmarshal(m.Data, &said); {
	case err != nil:
		return Ack{}, fmt.Errorf("%w: %w", njs.ErrInvalidJSAck, err)
	case said.Error != nil:
		return Ack{}, said.Error
	case said.Stream == "":
		return Ack{}, njs.ErrInvalidJSAck
	}
	return Ack{Stream: said.Stream, Sequence: said.Sequence, Duplicate: said.Duplicate}, nil
}
