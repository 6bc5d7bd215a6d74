package jetstream

import (
	"time"

	"github.com/nats-io/nats.go"
)

// Delivery is a message as a handler gets it. It must not be changed.
type Delivery struct {
	Subject   string      // that it was stored under
	Header    nats.Header // may be nil
	Data      []byte      // the message itself
	Stream    string      // that stores it
	Sequence  uint64      // in that stream
	Stored    time.Time   // when the server stored it
	Delivered int         // how many times it was delivered, this one included; a message that a Shutdown handed back unstarted counts, too
}

// Key returns what the Publisher was given as Message.Key, or "". It serves as
// Config.Key: (*jetstream.Delivery).Key.
func (d *Delivery) Key() string { return d.Header.Get(HeaderKey) }

// newDelivery returns what a handler gets for m.
func newDelivery(m *nats.Msg) (*Delivery, error) {
	md, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	return &Delivery{
		Subject: m.Subject, Header: m.Header, Data: m.Data, Stream: md.Stream,
		Sequence: md.Sequence.Stream, Stored: md.Timestamp, Delivered: int(md.NumDelivered),
	}, nil
}
