package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
	"github.com/poundlock/poundlock/jetstream/embedded"
)

// A message whose processes died at every delivery is given up without a call.
func TestAMessageThatKillsIsGivenUp(t *testing.T) {
	for _, batch := range []bool{false, true} {
		t.Run(fmt.Sprint("batch=", batch), func(t *testing.T) {
			r := start(t)
			r.stream("DEAD", njs.LimitsPolicy, "dead")
			cfg := r.queue(1, 0, 30*time.Second)
			r.steal("S", "c", 2)
			cfg.MaxDeliver, cfg.DeadLetter = 2, "dead"
			if batch {
				cfg.HandleBatch = okBatch
			} else {
				cfg.Handle = ok
			}
			w := r.worker(cfg)
			r.drained("S")
			require.NoError(t, w.Close())
			s := w.Stats()
			require.Equal(t, []uint64{1, 0, 1}, []uint64{s.Fetched, s.Calls, s.DeadLettered})
			dead := r.stored("DEAD")
			require.Len(t, dead, 1)
			require.Contains(t, dead[0].Header.Get(jetstream.HeaderReason), "delivered 3 times, and 2 is the most")
		})
	}
}

// steal has the first message delivered n times, and handed back.
func (r *rig) steal(stream, consumer string, n int) {
	r.t.Helper()
	c, err := r.js.Consumer(within(r.t), stream, consumer)
	require.NoError(r.t, err)
	for range n {
		m, err := c.Next(njs.FetchMaxWait(patience))
		require.NoError(r.t, err)
		require.NoError(r.t, m.Nak())
	}
}

// A dead letter that cannot be stored leaves the message where it is; the next
// delivery tries again, and calls no handler if the message had all its calls.
func TestADeadLetterThatCannotBeStored(t *testing.T) {
	r := start(t)
	full := njs.StreamConfig{Name: "DEAD", Subjects: []string{"dead"}, MaxMsgs: 1, Discard: njs.DiscardNew}
	dead, err := r.js.CreateStream(within(t), full)
	require.NoError(t, err)
	_, err = r.js.Publish(within(t), "dead", nil)
	require.NoError(t, err)
	cfg := r.queue(1, 0, 30*time.Second)
	cfg.MaxDeliver, cfg.DeadLetter = 1, "dead"
	told := make(chan error, 1000)
	cfg.OnError = func(_ context.Context, d *jetstream.Delivery, err error) {
		if d == nil {
			t.Errorf("fetch: %v", err)
		}
		told <- err
	}
	broken := errors.New("broken")
	cfg.Handle = func(context.Context, *jetstream.Delivery) error { return broken }
	w := r.worker(cfg)
	require.ErrorContains(t, <-told, `jetstream: dead letter to "dead": `)
	require.ErrorIs(t, <-told, broken)
	require.ErrorContains(t, <-told, `jetstream: dead letter to "dead": `)
	require.ErrorContains(t, <-told, "1 is the most")
	require.NoError(t, dead.Purge(within(t)))
	r.drained("S")
	require.NoError(t, w.Close())
	s := w.Stats()
	require.EqualValues(t, 1, s.Calls)
	require.EqualValues(t, 1, s.DeadLettered)
	require.EqualValues(t, s.Fetched-1, s.Failed)
	require.Len(t, r.stored("DEAD"), 1)
}

// lonely is a rig whose server can go away for good.
func lonely(t *testing.T) *rig {
	srv, err := embedded.Start(within(t), embedded.Config{StoreDir: t.TempDir()})
	require.NoError(t, err)
	nc, err := srv.Connect(nats.MaxReconnects(-1), nats.ReconnectWait(time.Hour))
	require.NoError(t, err)
	t.Cleanup(func() {
		nc.Close()
		require.NoError(t, srv.Close())
	})
	js, err := njs.New(nc)
	require.NoError(t, err)
	return &rig{t, srv, nc, js}
}

// The server goes away while a message is handled. Its acknowledgement is
// unconfirmed when Shutdown gives up, and the message is lost to others when AckWait
// has passed.
func TestAnAcknowledgementThatCannotArrive(t *testing.T) {
	for _, double := range []bool{false, true} {
		for _, wait := range []time.Duration{time.Minute, 300 * time.Millisecond} {
			t.Run(fmt.Sprint(double, wait), func(t *testing.T) {
				r := lonely(t)
				cfg := r.queue(1, 0, wait)
				cfg.DoubleAck = double
				started, goOn := make(chan struct{}), make(chan struct{})
				cfg.Handle = func(context.Context, *jetstream.Delivery) error {
					close(started)
					<-goOn
					return nil
				}
				w := r.worker(cfg)
				<-started
				require.NoError(t, r.srv.Close())
				close(goOn)
				if wait < time.Minute {
					require.Eventually(t, func() bool { return w.Stats().Lost == 1 }, patience, time.Millisecond)
					require.NoError(t, w.Close())
					require.Zero(t, w.Stats().Acked)
					return
				}
				require.Eventually(t, func() bool { return w.Stats().Acking == 1 }, patience, time.Millisecond)
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				var cut *jetstream.ShutdownError
				require.ErrorAs(t, w.Shutdown(ctx), &cut)
				require.Equal(t, []int{0, 1}, []int{cut.Running, cut.Unacked})
				s := w.Stats()
				balanced(t, s)
				require.Equal(t, []uint64{0, 1}, []uint64{s.Acked, s.Unconfirmed})
			})
		}
	}
}

// Someone deletes the consumer under a Worker. What is being handled has nobody to
// acknowledge to; when the consumer is made again, the Worker goes on.
func TestADeletedConsumer(t *testing.T) {
	r := start(t)
	cfg := r.queue(1, 0, 500*time.Millisecond)
	cfg.DoubleAck = true
	var mu sync.Mutex
	handled := map[string]int{}
	var told error // by a fetch
	cfg.OnError = func(_ context.Context, d *jetstream.Delivery, err error) {
		mu.Lock()
		defer mu.Unlock()
		if d == nil {
			told = err
		}
	}
	started, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error {
		once.Do(func() {
			close(started)
			<-goOn
		})
		mu.Lock()
		defer mu.Unlock()
		handled[string(d.Data)]++
		return nil
	}
	w := r.worker(cfg)
	<-started
	require.NoError(t, r.js.DeleteConsumer(within(t), "S", "c"))
	close(goOn)
	require.Eventually(t, func() bool { s := w.Stats(); return s.FetchErrors > 0 && s.Unconfirmed+s.Lost == 1 }, patience, time.Millisecond)
	mu.Lock()
	require.ErrorContains(t, told, "jetstream: fetch: ")
	mu.Unlock()
	r.consumer("S", njs.ConsumerConfig{AckPolicy: njs.AckExplicitPolicy, AckWait: 500 * time.Millisecond})
	_, err := r.js.Publish(within(t), "s.x", []byte("new"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return w.Stats().Acked == 2 }, patience, time.Millisecond)
	r.drained("S")
	require.NoError(t, w.Close())
	require.Equal(t, map[string]int{"0": 2, "new": 1}, handled)
	balanced(t, w.Stats())
}

// The connection is lost while messages are under way: their answers will not come,
// and they are sent again at once, not after Timeout, with the ID that they had, be it the
// user's or the Publisher's: so the server stores them once.
func TestAPublisherWhoseConnectionIsReplaced(t *testing.T) {
	r := start(t)
	r.stream("S", njs.LimitsPolicy, "s.>")
	hold := make(chan *nats.Msg, 10)
	sub, err := r.nc.ChanSubscribe("held.x", hold)
	require.NoError(t, err)
	used := map[string]bool{}
	for _, id := range []string{"1", "", ""} {
		p := r.publisher(jetstream.PublisherConfig{Timeout: time.Hour, Backoff: time.Millisecond})
		got := make(chan error, 1)
		go func() {
			a, err := p.Publish(within(t), "held.x", jetstream.Message{ID: id})
			if err == nil && a.Sequence != 7 {
				err = fmt.Errorf("%+v", a)
			}
			got <- err
		}()
		first := (<-hold).Header.Get(nats.MsgIdHdr) // never answered
		require.NoError(t, r.nc.ForceReconnect())
		m := <-hold
		require.Equal(t, first, m.Header.Get(nats.MsgIdHdr))
		if id != "" {
			require.Equal(t, id, first)
		}
		require.NotEmpty(t, first)
		require.False(t, used[first], "an ID of two messages")
		used[first] = true
		require.NoError(t, m.Respond([]byte(`{"stream":"S","seq":7}`)))
		require.NoError(t, <-got)
		require.EqualValues(t, 1, p.Stats().Retried)
	}
	require.NoError(t, sub.Unsubscribe())
}

// What answers that is no JetStream server is no acknowledgement.
func TestAnswersThatAreNoAcknowledgement(t *testing.T) {
	r := start(t)
	said := ""
	sub, err := r.nc.Subscribe("odd", func(m *nats.Msg) { _ = m.Respond([]byte(said)) })
	require.NoError(t, err)
	for _, s := range []string{"", "+OK", "{}", `{"seq":1}`} {
		said = s
		p := r.publisher(jetstream.PublisherConfig{MaxAttempts: 1})
		_, err := p.Publish(within(t), "odd", jetstream.Message{})
		require.ErrorIs(t, err, njs.ErrInvalidJSAck, "%q", s)
	}
	require.NoError(t, sub.Unsubscribe())
}

// The server restarts under a Worker and has forgotten what was asked for: that is given
// up with its places, and the Worker asks again.
func TestAWorkerWhoseServerRestarts(t *testing.T) {
	dir := t.TempDir()
	srv, err := embedded.Start(within(t), embedded.Config{StoreDir: dir, Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	addr := srv.URL()[len("nats://"):]
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	require.NoError(t, err)
	r := &rig{t: t, nc: nc}
	r.js, err = njs.New(nc)
	require.NoError(t, err)
	cfg := r.queue(0, 0, 10*time.Second)
	handled := make(chan string, 100)
	cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error { handled <- string(d.Data); return nil }
	w, err := jetstream.Start(within(t), cfg)
	require.NoError(t, err)
	require.NoError(t, srv.Close())
	srv, err = embedded.Start(within(t), embedded.Config{StoreDir: dir, Addr: addr})
	require.NoError(t, err)
	require.Eventually(t, nc.IsConnected, patience, time.Millisecond)
	_, err = r.js.Publish(within(t), "s.x", []byte("1"))
	require.NoError(t, err)
	select {
	case id := <-handled:
		require.Equal(t, "1", id)
	case <-within(t).Done():
		t.Error("it asks no more")
	}
	require.NoError(t, w.Close())
	nc.Close()
	require.NoError(t, srv.Close())
}
