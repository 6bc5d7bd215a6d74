package jetstream

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream/embedded"
)

// dial returns a connection to a server in this process. Both end with the test.
func dial(t *testing.T) *nats.Conn {
	srv, err := embedded.Start(t.Context(), embedded.Config{StoreDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	nc, err := srv.Connect()
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// idle returns a Worker of a stream S and its consumer c, where nothing is.
func idle(t *testing.T, nc *nats.Conn, cfg Config) *Worker {
	js, err := njs.New(nc)
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), njs.StreamConfig{Name: "S", Subjects: []string{"s"}, Retention: njs.WorkQueuePolicy})
	require.NoError(t, err)
	_, err = js.CreateConsumer(t.Context(), "S", njs.ConsumerConfig{Durable: "c", AckPolicy: njs.AckExplicitPolicy, AckWait: time.Second})
	require.NoError(t, err)
	cfg.Conn, cfg.Stream, cfg.Consumer = nc, "S", "c"
	if cfg.Handle == nil {
		cfg.Handle = func(context.Context, *Delivery) error { return nil }
	}
	w, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	return w
}

// When the end has begun nothing is asked for, also for places that became free by that:
// what was handed back would come again.
func TestNothingIsAskedForAtTheEnd(t *testing.T) {
	nc := dial(t)
	w := idle(t, nc, Config{})
	require.NoError(t, w.Close())
	var err error
	w.pull, err = newPuller(&w.cfg, w.src)
	require.NoError(t, err)
	before := nc.Stats().OutMsgs
	w.fetchUntilStopped()
	require.Equal(t, before, nc.Stats().OutMsgs)
	w.pull.close()
}

// A message whose request was given up has no place. It goes back at once.
func TestAMessageWithoutAPlaceGoesBack(t *testing.T) {
	nc := dial(t)
	said := make(chan *nats.Msg, 1)
	sub, err := nc.ChanSubscribe("said", said)
	require.NoError(t, err)
	w := idle(t, nc, Config{})
	w.pull.in <- &nats.Msg{Reply: "said"} // of none of its subscriptions
	require.Equal(t, "-NAK", string((<-said).Data))
	require.NoError(t, w.Close())
	require.Zero(t, w.Stats().Fetched)
	require.NoError(t, sub.Unsubscribe())
}

// What was handled is acknowledged, but not when that comes so late that others may have it:
// the process was frozen after the handler returned.
func TestALateAcknowledgementIsNotSaid(t *testing.T) {
	nc := dial(t)
	said := make(chan string, 10)
	sub, err := nc.Subscribe("said", func(m *nats.Msg) {
		said <- string(m.Data)
		if m.Reply != "" {
			_ = m.Respond(nil)
		}
	})
	require.NoError(t, err)
	for _, double := range []bool{false, true} {
		for _, late := range []bool{false, true} {
			const wait = time.Minute
			l := newLedger(1, wait, 0)
			l.slots <- struct{}{}
			h := &held{msg: &nats.Msg{Reply: "said"}, d: &Delivery{Delivered: 1}}
			then := time.Now()
			if late {
				then = then.Add(-wait)
			}
			require.True(t, l.add(h, then, then))
			require.True(t, l.start(h, func(error) {}, then))
			require.True(t, l.succeed(h, then))
			a, err := newAcker(&Config{Conn: nc, DoubleAck: double, Workers: 1, MaxBatch: 1}, l)
			require.NoError(t, err)
			a.send(h)
			a.close()
			require.NoError(t, nc.Flush())
			s := l.stats()
			if late {
				require.Empty(t, said)
				require.Equal(t, []uint64{0, 1}, []uint64{s.Acked, s.Lost})
			} else {
				require.Equal(t, "+ACK", <-said)
				require.Equal(t, []uint64{1, 0}, []uint64{s.Acked, s.Lost})
			}
		}
	}
	require.NoError(t, sub.Unsubscribe())
}

// The server has forgotten the requests of a connection that is gone: they are given up at
// once, and not when their time is over.
func TestAReconnectGivesRequestsUp(t *testing.T) {
	nc := dial(t)
	p, err := newPuller(&Config{Conn: nc, Stream: "S", Consumer: "c", Workers: 4, MaxBatch: 1}, &source{wait: time.Minute, expires: time.Second, most: 3, lanes: pullLanes})
	require.NoError(t, err)
	now := time.Now()
	for _, want := range []int{3, 1} {
		n, err := p.ask(want, now)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, 4, p.owed)
	free, err := p.expired(now)
	require.NoError(t, err)
	require.Zero(t, free)
	require.NoError(t, nc.ForceReconnect())
	require.Eventually(t, func() bool { return nc.Stats().Reconnects == 1 && nc.IsConnected() }, 20*time.Second, time.Millisecond)
	free, err = p.expired(now)
	require.NoError(t, err)
	require.Equal(t, []int{4, 0}, []int{free, p.owed})
	p.close()
}

// So is one of a connection that is gone when the next one has been asked already.
func TestAReconnectGivesUpTheRequestsBefore(t *testing.T) {
	nc := dial(t)
	p, err := newPuller(&Config{Conn: nc, Stream: "S", Consumer: "c", Workers: 4, MaxBatch: 1}, &source{wait: time.Minute, expires: time.Second, most: 3, lanes: pullLanes})
	require.NoError(t, err)
	now := time.Now()
	_, err = p.ask(3, now)
	require.NoError(t, err)
	require.NoError(t, nc.ForceReconnect())
	require.Eventually(t, func() bool { return nc.Stats().Reconnects == 1 && nc.IsConnected() }, 20*time.Second, time.Millisecond)
	_, err = p.ask(1, now)
	require.NoError(t, err)
	free, err := p.expired(now)
	require.NoError(t, err)
	require.Equal(t, []int{3, 1}, []int{free, p.owed})
	p.close()
}

// While the connection is down nothing is said of a message without a place: the client would
// keep the word, and say it when others have the message.
func TestNothingIsKeptToBeSaidLater(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Config{StoreDir: t.TempDir()})
	require.NoError(t, err)
	nc, err := srv.Connect(nats.MaxReconnects(-1), nats.ReconnectWait(time.Hour))
	require.NoError(t, err)
	w := idle(t, nc, Config{})
	require.NoError(t, srv.Close())
	require.Eventually(t, func() bool { return !nc.IsConnected() }, 20*time.Second, time.Millisecond)
	before := nc.Stats().OutMsgs
	w.pull.in <- &nats.Msg{Reply: "said"} // of none of its subscriptions
	require.Eventually(t, func() bool { return len(w.pull.in) == 0 }, 20*time.Second, time.Millisecond)
	require.NoError(t, w.Close())
	require.Equal(t, before, nc.Stats().OutMsgs)
	nc.Close()
}

// What was said through a connection that was replaced since may be lost with it: that the
// server answers through the next one says nothing of it.
func TestWhatWasSaidThroughAConnectionBefore(t *testing.T) {
	nc := dial(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	before := nc.Stats().Reconnects
	require.NoError(t, nc.Publish("said", nil))
	require.NoError(t, flush(ctx, nc, before))
	require.NoError(t, nc.ForceReconnect())
	require.Eventually(t, func() bool { return nc.Stats().Reconnects == before+1 && nc.IsConnected() }, 20*time.Second, time.Millisecond)
	require.ErrorIs(t, flush(ctx, nc, before), errDown)
	require.NoError(t, flush(ctx, nc, before+1))
}
