package jetstream

import (
	"fmt"
	"maps"
	"net/textproto"
	"strings"

	"github.com/nats-io/nats.go"
)

// Headers that Publisher and Worker set, beside those of NATS.
const (
	// HeaderKey has Message.Key.
	HeaderKey = "Poundlock-Key"
	// HeaderReason says, on a dead letter, why the message was given up.
	HeaderReason = "Poundlock-Reason"
	// HeaderSubject is, on a dead letter, the subject of the message.
	HeaderSubject = "Poundlock-Subject"
	// HeaderStream is, on a dead letter, the stream of the message.
	HeaderStream = "Poundlock-Stream"
	// HeaderConsumer is, on a dead letter, the consumer that gave it up.
	HeaderConsumer = "Poundlock-Consumer"
	// HeaderSequence is, on a dead letter, the message's sequence in its stream.
	HeaderSequence = "Poundlock-Sequence"
	// HeaderDelivered is, on a dead letter, how many times it was delivered.
	HeaderDelivered = "Poundlock-Delivered"
)

// Message is what a [Publisher] stores. Data and Header must not be changed until
// the server has acknowledged the message or it came back.
type Message struct {
	// Subject is set by Publish and Send from their argument.
	Subject string

	// ID makes storing idempotent: within the stream's duplicate window the server
	// keeps one message per ID. "" means one that the Publisher makes up, which
	// covers its own further attempts. A work-queue or interest stream forgets, when
	// the server restarts, the IDs of messages that were acknowledged by their
	// consumers. Like Key it goes into a header: it must not begin or end with a blank,
	// nor have line breaks.
	ID string

	// Key gives an order: of messages with one Key, each is sent after the one
	// before has been acknowledged or has failed. So a key's rate is bounded by the
	// server's time for an acknowledgement. "" means no order.
	Key string

	// Header goes with the message; ID replaces its Nats-Msg-Id. A header of HTTP converts to it, so an OpenTelemetry
	// propagator writes into propagation.HeaderCarrier(m.Header).
	Header nats.Header

	// Data is the message itself.
	Data []byte
}

// wire returns m as NATS sends it: a copy, since the client writes into it.
func (m *Message) wire() *nats.Msg {
	h := make(nats.Header, len(m.Header)+2)
	maps.Copy(h, m.Header)
	h.Set(nats.MsgIdHdr, m.ID)
	if m.Key != "" {
		h.Set(HeaderKey, m.Key)
	}
	return &nats.Msg{Subject: m.Subject, Header: h, Data: m.Data}
}

// sendable says whether nats.go sends a header of that name. It refuses some that other
// clients send.
func sendable(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"()/,:;<=>?@[\\]{}", r)
	})
}

// carried returns an error if a header's value would arrive as another one: nats.go trims
// it, and makes line breaks blanks.
func carried(name, value string) error {
	if textproto.TrimString(value) != value || strings.ContainsAny(value, "\r\n") {
		return fmt.Errorf("%s %q: a header does not carry blanks around it or line breaks", name, value)
	}
	return nil
}

// Ack is the server's acknowledgement of a message.
type Ack struct {
	Stream    string // that stores the message
	Sequence  uint64 // of the message in that stream
	Duplicate bool   // the stream had a message with that ID
}
