package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Config says how a [Worker] behaves. Conn, Stream, Consumer and one of Handle and
// HandleBatch must be set.
type Config struct {
	// Name appears in Stats, errors and reports. Default the consumer's name.
	Name string

	// Conn is the connection to the servers. The Worker does not close it. Close it when
	// Done is closed: after a Shutdown that gave up, the handlers that still run may use it.
	Conn *nats.Conn

	// Stream and Consumer name a durable pull consumer with explicit
	// acknowledgement, which must exist.
	Stream, Consumer string

	// Handle handles one message. nil acknowledges it; any other error has it
	// delivered again after Backoff, unless it wraps ErrTerminal. It may be called
	// more than once for a message, and must be idempotent. A panic or Goexit in it
	// counts as an error; one in a method of its error fails the message, too.
	//
	// ctx ends when TaskTimeout passes, when the message is lost to others, and when
	// Shutdown gives up.
	Handle func(ctx context.Context, d *Delivery) error

	// HandleBatch handles several messages in one call, in the order of their
	// arrival. nil acknowledges all. An error that is, or wraps, a
	// batchchan.ItemErrors fails those that it names and acknowledges the others;
	// any other error, and an index outside the batch, fails all.
	HandleBatch func(ctx context.Context, ds []*Delivery) error

	// MaxBatch is the largest batch for HandleBatch. Default 100.
	MaxBatch int

	// Linger is how long the first message of a batch waits for more. 0 means until
	// a worker is free for it.
	Linger time.Duration

	// Workers is how many calls of the handler run at a time. Default 1.
	Workers int

	// Ahead is how many messages are held beyond those that the workers can have, so
	// that a free worker need not wait for a round trip. Held messages are kept from
	// others. 0 means as many as the workers can have, negative none.
	Ahead int

	// Key, if set, gives an order: of the messages with one key, the handler has one
	// at a time, or one batch, in the order of delivery. That is so in this process;
	// for an order across processes a key's messages must go to one consumer with
	// one Worker. A failed message comes after those that were held behind it. ""
	// means no order. Key must be cheap; a panic in it fails the message.
	Key func(d *Delivery) string

	// TaskTimeout is how long a call of the handler may take. Then its ctx ends, and
	// its messages are no longer kept from others. 0 means no bound.
	TaskTimeout time.Duration

	// NoHeartbeats leaves out the heartbeats. Without them the server delivers a held
	// message to others after AckWait. So TaskTimeout must be set, and short enough for
	// a message that is held ahead to be handled within AckWait; Start checks that.
	NoHeartbeats bool

	// DoubleAck makes the consumer's leader confirm each acknowledgement. Without it
	// the Worker only knows that the server that it is connected to has read them: if
	// that server crashes then, or cannot pass them to the leader, the messages are
	// delivered again.
	DoubleAck bool

	// Backoff returns how long a failed message waits for its next delivery. It gets
	// how many times the message was delivered. Default 1 s, doubled each time up to
	// 1 min.
	Backoff func(delivered int) time.Duration

	// MaxDeliver gives a message up when it was delivered that often and has not been
	// handled. 0 means never. A delivery counts also if a Shutdown or a kill cut it
	// short, so leave room for restarts. The consumer's own MaxDeliver must then be unlimited:
	// the server forgets a message that dies with its process at the last delivery.
	MaxDeliver int

	// DeadLetter is the subject under which a message that is given up is stored. Its
	// header then has the reason and where it came from. A stream must have the
	// subject. If the server does not store the message there, for instance because it
	// is too large with that header, the message is not given up: it is delivered again
	// after Backoff, and OnError is called. With "" a message that is given up is not
	// stored anywhere.
	DeadLetter string

	// Extract, if set, makes the handler's ctx from the header of a message, such as
	// a trace context. It is not called for batches.
	Extract func(ctx context.Context, h nats.Header) context.Context

	// OnError is called with each message that failed, by the worker, and with a
	// *PanicError where the handler panicked. d is nil if messages could not be
	// fetched. A panic in it is contained and counted.
	OnError func(ctx context.Context, d *Delivery, err error)
}

// check fills in the defaults and returns an error that names the first bad field.
func (c *Config) check() error {
	switch {
	case c.Conn == nil:
		return errors.New("jetstream: Conn is nil")
	case c.Stream == "":
		return errors.New("jetstream: Stream is empty")
	case c.Consumer == "":
		return errors.New("jetstream: Consumer is empty")
	case c.Handle == nil && c.HandleBatch == nil:
		return errors.New("jetstream: Handle and HandleBatch are nil")
	case c.Handle != nil && c.HandleBatch != nil:
		return errors.New("jetstream: Handle and HandleBatch are both set")
	case c.MaxBatch < 0:
		return fmt.Errorf("jetstream: MaxBatch %d is negative", c.MaxBatch)
	case c.Linger < 0:
		return fmt.Errorf("jetstream: Linger %v is negative", c.Linger)
	case c.HandleBatch == nil && (c.MaxBatch > 0 || c.Linger > 0):
		return errors.New("jetstream: MaxBatch and Linger need HandleBatch")
	case c.HandleBatch != nil && c.Extract != nil:
		return errors.New("jetstream: Extract needs Handle")
	case c.Workers < 0:
		return fmt.Errorf("jetstream: Workers %d is negative", c.Workers)
	case c.TaskTimeout < 0:
		return fmt.Errorf("jetstream: TaskTimeout %v is negative", c.TaskTimeout)
	case c.NoHeartbeats && c.TaskTimeout == 0:
		return errors.New("jetstream: NoHeartbeats needs a TaskTimeout")
	case c.MaxDeliver < 0:
		return fmt.Errorf("jetstream: MaxDeliver %d is negative", c.MaxDeliver)
	}
	c.Workers = max(c.Workers, 1)
	if c.MaxBatch == 0 {
		c.MaxBatch = 100
	}
	if c.HandleBatch == nil {
		c.MaxBatch = 1
	}
	most := max(c.Workers, c.MaxBatch, c.Ahead)
	if most > mostHeld || int64(c.Workers)*int64(c.MaxBatch)+int64(max(c.Ahead, 0)) > mostHeld {
		return fmt.Errorf("jetstream: Workers %d, MaxBatch %d and Ahead %d hold more than %d messages", c.Workers, c.MaxBatch, c.Ahead, mostHeld)
	}
	if c.Ahead == 0 {
		c.Ahead = c.Workers * c.MaxBatch
	}
	c.Ahead = max(c.Ahead, 0)
	if c.Backoff == nil {
		c.Backoff = func(n int) time.Duration { return min(time.Second<<min(max(n-1, 0), 6), time.Minute) }
	}
	return nil
}

// mostHeld bounds how many messages a Worker may hold, and a Publisher have under way.
const mostHeld = 1 << 24

// held is how many messages may be held at a time.
func (c *Config) held() int { return c.Workers*c.MaxBatch + c.Ahead }

// rounds is how many calls of the handler a message may have to wait for, its own
// included.
func (c *Config) rounds() time.Duration {
	perRound := c.Workers * c.MaxBatch
	if c.Key != nil {
		perRound = 1 // all that is held may have one key
	}
	return time.Duration((c.held() + perRound - 1) / perRound)
}
