package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// A dead letter has the message, its header and where it came from. What the header asked
// of the first stream it does not ask of the letters' stream, which would refuse it.
func TestADeadLetterSaysWhatItWas(t *testing.T) {
	r := start(t)
	r.stream("DEAD", njs.LimitsPolicy, "dead")
	cfg := r.queue(3, 0, 30*time.Second)
	_, err := r.js.PublishMsg(within(t), &nats.Msg{
		Subject: "s.y", Data: []byte("the message"),
		Header: nats.Header{"Color": {"red", "blue"}, nats.ExpectedStreamHdr: {"S"}, nats.MsgIdHdr: {"first"}},
	})
	require.NoError(t, err)
	cfg.DeadLetter = "dead"
	var seq uint64
	cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error {
		if d.Subject != "s.y" {
			return nil
		}
		seq = d.Sequence
		return fmt.Errorf("no %w use", jetstream.ErrTerminal)
	}
	w := r.worker(cfg)
	r.drained("S")
	require.NoError(t, w.Close())
	dead := r.stored("DEAD")
	require.Len(t, dead, 1)
	require.Equal(t, "the message", string(dead[0].Data))
	require.EqualValues(t, 4, seq)
	require.Equal(t, nats.Header{
		"Color":                   {"red", "blue"},
		jetstream.HeaderReason:    {"no jetstream: terminal use"},
		jetstream.HeaderSubject:   {"s.y"},
		jetstream.HeaderStream:    {"S"},
		jetstream.HeaderConsumer:  {"c"},
		jetstream.HeaderSequence:  {"4"},
		jetstream.HeaderDelivered: {"1"},
		nats.MsgIdHdr:             {"dead.S.c.4"}, // one letter, if the same is done again
	}, dead[0].Header)
}

// A message that failed waits for as long as Backoff says, which is told how often it was
// delivered.
func TestAFailedMessageWaitsForItsBackoff(t *testing.T) {
	r := start(t)
	cfg := r.queue(1, 0, 30*time.Second)
	const pause = 250 * time.Millisecond
	cfg.Backoff = func(delivered int) time.Duration { return time.Duration(delivered) * pause }
	type call struct {
		delivered int
		at        time.Time
	}
	calls := make(chan call, 10)
	cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error {
		calls <- call{d.Delivered, time.Now()}
		if d.Delivered < 3 {
			return errors.New("again")
		}
		return nil
	}
	w := r.worker(cfg)
	before := <-calls
	for n := 1; n <= 2; n++ {
		c := <-calls
		require.Equal(t, n+1, c.delivered)
		require.GreaterOrEqual(t, c.at.Sub(before.at), time.Duration(n)*pause, "after delivery "+strconv.Itoa(n))
		before = c
	}
	r.drained("S")
	require.NoError(t, w.Close())
	require.EqualValues(t, 2, w.Stats().Failed)
}
