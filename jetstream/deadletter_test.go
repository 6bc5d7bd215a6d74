package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
	"github.com/poundlock/poundlock/jetstream/embedded"
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

// Other clients store header names that nats.go refuses to send. The dead letter does without
// them.
func TestADeadLetterOfAHeaderThatCannotBeSent(t *testing.T) {
	srv, err := embedded.Start(within(t), embedded.Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	nc, err := srv.Connect()
	require.NoError(t, err)
	js, err := njs.New(nc)
	require.NoError(t, err)
	r := &rig{t, srv, nc, js}
	r.stream("DEAD", njs.LimitsPolicy, "dead")
	cfg := r.queue(0, 0, time.Minute)
	cfg.DeadLetter = "dead"
	cfg.Handle = func(context.Context, *jetstream.Delivery) error { return jetstream.ErrTerminal }
	w, err := jetstream.Start(within(t), cfg)
	require.NoError(t, err)
	raw, err := net.Dial("tcp", srv.URL()[len("nats://"):])
	require.NoError(t, err)
	header := "NATS/1.0\r\na/b: x\r\nColor: red\r\n\r\n"
	_, err = fmt.Fprintf(raw, "CONNECT {\"headers\":true,\"verbose\":false}\r\nHPUB s.x %d %d\r\n%s\r\n", len(header), len(header), header)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return w.Stats().Fetched > 0 }, patience, time.Millisecond)
	require.NoError(t, raw.Close())
	r.drained("S")
	require.NoError(t, w.Close())
	require.EqualValues(t, 1, w.Stats().DeadLettered)
	require.Equal(t, "red", r.stored("DEAD")[0].Header.Get("Color"))
	nc.Close()
	require.NoError(t, srv.Close())
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
