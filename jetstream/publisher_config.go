package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// PublisherConfig says how a [Publisher] behaves. Conn must be set.
type PublisherConfig struct {
	// Name appears in Stats and errors. It may be empty.
	Name string

	// Conn is the connection to the servers. The Publisher does not close it.
	Conn *nats.Conn

	// MaxBatch is how many messages without a Key are sent before the server has
	// acknowledged the first of them. Two such batches may be under way. Default 256.
	MaxBatch int

	// MaxPending bounds the messages that were accepted and not yet sent. Default
	// 8*MaxBatch.
	MaxPending int

	// MaxPendingBytes bounds the sum of the lengths of their Data. 0 means no bound.
	MaxPendingBytes int

	// Keys is how many keys may have a message under way at a time. Default 64.
	Keys int

	// MaxAttempts bounds how often a message is sent when the server does not
	// acknowledge it or cannot be reached. What the server refuses is not sent again.
	// Default 10.
	MaxAttempts int

	// Timeout is how long an attempt waits for the acknowledgement. Default 5 s.
	Timeout time.Duration

	// Backoff is the wait before the second attempt, doubled before each further one
	// up to MaxBackoff, and shortened at random by up to half. Default 50 ms.
	Backoff time.Duration

	// MaxBackoff bounds the wait. Default 2 s.
	MaxBackoff time.Duration

	// Inject, if set, is called by Publish and Send with a header to add to: that of
	// the message, or a new one. It is the place for a trace context.
	Inject func(ctx context.Context, h nats.Header)

	// OnError is called with each message that Send accepted and that failed for
	// good. An error that is not the server's refusal leaves open whether the message
	// was stored: a Send with the same ID, within the duplicate window, settles that.
	// Messages of the same Key wait until it returns, and so may any without a Key. A
	// panic in it is contained and counted.
	OnError func(ctx context.Context, m Message, err error)
}

// check fills in the defaults and returns an error that names the first bad field.
func (c *PublisherConfig) check() error {
	if c.Conn == nil {
		return errors.New("jetstream: Conn is nil")
	}
	for _, f := range []struct {
		name string
		n    *int
		def  int
	}{
		{"MaxBatch", &c.MaxBatch, 256},
		{"MaxPending", &c.MaxPending, 0},
		{"MaxPendingBytes", &c.MaxPendingBytes, 0},
		{"Keys", &c.Keys, 64},
		{"MaxAttempts", &c.MaxAttempts, 10},
	} {
		if *f.n < 0 {
			return fmt.Errorf("jetstream: %s %d is negative", f.name, *f.n)
		}
		if *f.n == 0 {
			*f.n = f.def
		}
	}
	switch { // else sums of them overflow
	case c.MaxBatch > mostHeld:
		return fmt.Errorf("jetstream: MaxBatch %d exceeds %d", c.MaxBatch, mostHeld)
	case c.Keys > mostHeld:
		return fmt.Errorf("jetstream: Keys %d exceeds %d", c.Keys, mostHeld)
	}
	if c.MaxPending == 0 {
		c.MaxPending = 8 * c.MaxBatch
	}
	for _, f := range []struct {
		name string
		d    *time.Duration
		def  time.Duration
	}{
		{"Timeout", &c.Timeout, 5 * time.Second},
		{"Backoff", &c.Backoff, 50 * time.Millisecond},
		{"MaxBackoff", &c.MaxBackoff, 2 * time.Second},
	} {
		if *f.d < 0 {
			return fmt.Errorf("jetstream: %s %v is negative", f.name, *f.d)
		}
		if *f.d == 0 {
			*f.d = f.def
		}
	}
	return nil
}
