package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
	"github.com/poundlock/poundlock/jetstream/embedded"
)

func TestPublishStoresOnceAndTells(t *testing.T) {
	r := start(t)
	r.stream("S", njs.LimitsPolicy, "s.>")
	p := r.publisher(jetstream.PublisherConfig{Name: "orders", Inject: func(_ context.Context, h nats.Header) { h.Set("traceparent", "00-1") }})
	h := nats.Header{"Color": {"red"}}
	a, err := p.Publish(within(t), "s.a", jetstream.Message{ID: "1", Key: "k", Header: h, Data: []byte("x")})
	require.NoError(t, err)
	require.Equal(t, jetstream.Ack{Stream: "S", Sequence: 1}, a)
	a, err = p.Publish(within(t), "s.a", jetstream.Message{ID: "1", Data: []byte("x")})
	require.NoError(t, err)
	require.True(t, a.Duplicate)
	require.Len(t, h, 1, "the user's header is not written to")
	m := r.stored("S")
	require.Len(t, m, 1)
	require.Equal(t, "x", string(m[0].Data))
	require.Equal(t, []string{"red", "k", "00-1"}, []string{m[0].Header.Get("Color"), m[0].Header.Get(jetstream.HeaderKey), m[0].Header.Get("traceparent")})
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	_, err = p.Publish(within(t), "s.a", jetstream.Message{})
	require.ErrorIs(t, err, jetstream.ErrClosed)
	require.ErrorIs(t, p.Send(within(t), "s.a", jetstream.Message{}), jetstream.ErrClosed)
	require.ErrorIs(t, p.TrySend(within(t), "s.a", jetstream.Message{}), jetstream.ErrClosed)
	<-p.Done()
	s := p.Stats()
	adds(t, s)
	require.Equal(t, []uint64{2, 1, 3}, []uint64{s.Acked, s.Duplicates, s.Rejected})
	require.Contains(t, s.String(), "orders: 5 submitted, 2 acked")
}

func TestPublishesShareBatches(t *testing.T) {
	r := start(t)
	r.stream("S", njs.LimitsPolicy, "s.>")
	p := r.publisher(jetstream.PublisherConfig{})
	const n = 600
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := p.Publish(within(t), "s."+strconv.Itoa(i), jetstream.Message{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Len(t, r.stored("S"), n)
	s := p.Stats()
	adds(t, s)
	require.EqualValues(t, n, s.Acked)
	require.Less(t, s.Batches, uint64(n))
}

func TestMessagesThatCannotBeStored(t *testing.T) {
	r := start(t)
	_, err := r.js.CreateStream(within(t), njs.StreamConfig{Name: "S", Subjects: []string{"s.>"}, MaxMsgSize: 10_000})
	require.NoError(t, err)
	var failed sync.Map
	p := r.publisher(jetstream.PublisherConfig{
		MaxAttempts: 3, Backoff: time.Millisecond, MaxPendingBytes: 2 << 20,
		OnError: func(_ context.Context, m jetstream.Message, err error) {
			failed.Store(m.Subject, err)
			panic("in the hook")
		},
	})
	big := jetstream.Message{Data: make([]byte, r.nc.MaxPayload())}
	_, err = p.Publish(within(t), "s.x", big)
	require.ErrorIs(t, err, jetstream.ErrTooLarge, "the headers count")
	require.Zero(t, p.Stats().Retried)
	_, err = p.Publish(within(t), "s.x", jetstream.Message{Data: make([]byte, 20_000)})
	require.ErrorIs(t, err, jetstream.ErrTooLarge, "of the stream")
	require.ErrorContains(t, err, "message size exceeds maximum allowed")
	for subject, retries := range map[string]uint64{"none": 2, "": 0, "s.big": 0} {
		before := p.Stats()
		m := jetstream.Message{Data: make([]byte, 20_000)}
		_, err = p.Publish(within(t), subject, m)
		require.ErrorContains(t, err, fmt.Sprintf("jetstream: publish to %q", subject))
		require.Equal(t, before.Retried+retries, p.Stats().Retried, "%q: %v", subject, err)
		require.NoError(t, p.Send(within(t), subject, m))
		require.NoError(t, p.Flush(within(t)))
		got, ok := failed.Load(subject)
		require.True(t, ok)
		require.EqualError(t, got.(error), err.Error())
	}
	s := p.Stats()
	adds(t, s)
	require.EqualValues(t, 3, s.Panics)
	require.EqualValues(t, 7, s.Failed)
}

// What a header of NATS would change or cannot carry is refused, and not sent otherwise.
func TestWhatAHeaderCannotCarry(t *testing.T) {
	r := start(t)
	r.stream("S", njs.LimitsPolicy, "s.>")
	p := r.publisher(jetstream.PublisherConfig{})
	for want, m := range map[string]jetstream.Message{
		`Key " k"`:       {Key: " k"},
		`Key "k\t"`:      {Key: "k\t"},
		`Key "a\nb"`:     {Key: "a\nb"},
		`ID "1 "`:        {ID: "1 "},
		`ID "1\r\n2: x"`: {ID: "1\r\n2: x"},
	} {
		began := time.Now()
		_, err := p.Publish(within(t), "s.x", m)
		require.ErrorContains(t, err, `jetstream: publish to "s.x": `+want)
		require.ErrorContains(t, p.Send(within(t), "s.x", m), want)
		require.Less(t, time.Since(began), time.Second)
	}
	s := p.Stats()
	adds(t, s)
	require.EqualValues(t, 10, s.Rejected)
	for _, name := range []string{"a header", "", "a:b"} {
		_, err := p.Publish(within(t), "s.x", jetstream.Message{Header: nats.Header{name: {"x"}}})
		require.ErrorIs(t, err, nats.ErrBadHeaderMsg, "%q", name)
		require.Zero(t, p.Stats().Retried)
	}
	_, err := p.Publish(within(t), "s.x", jetstream.Message{ID: "1 2", Key: "a: b", Header: nats.Header{"A-b_c": {"x"}}})
	require.NoError(t, err)
	require.Equal(t, "a: b", r.stored("S")[0].Header.Get(jetstream.HeaderKey))
}

// One message that the server refuses leaves those of its batch alone.
func TestABadMessageFailsAlone(t *testing.T) {
	r := start(t)
	_, err := r.js.CreateStream(within(t), njs.StreamConfig{Name: "S", Subjects: []string{"s.>"}, MaxMsgSize: 1000})
	require.NoError(t, err)
	for _, key := range []string{"", "k"} {
		var bad atomic.Int32
		p := r.publisher(jetstream.PublisherConfig{OnError: func(context.Context, jetstream.Message, error) { bad.Add(1) }})
		for i := range 200 {
			m := jetstream.Message{Key: key, Data: make([]byte, 1)}
			if i%50 == 7 {
				m.Data = make([]byte, 2000)
			}
			require.NoError(t, p.Send(within(t), "s.x", m))
		}
		require.NoError(t, p.Close())
		require.EqualValues(t, 4, bad.Load())
		require.EqualValues(t, 196, p.Stats().Acked)
	}
}

// A key's messages are stored in order and once, though the server goes away in
// the middle; others meanwhile wait for it.
func TestOrderOfAKeySurvivesTheServersRestart(t *testing.T) {
	dir := t.TempDir()
	srv, err := embedded.Start(within(t), embedded.Config{StoreDir: dir, Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	require.NoError(t, err)
	defer nc.Close()
	r := &rig{t: t, nc: nc}
	r.js, err = njs.New(nc)
	require.NoError(t, err)
	r.stream("S", njs.LimitsPolicy, "s.>")
	p := r.publisher(jetstream.PublisherConfig{
		MaxAttempts: 1000, Backoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond, Timeout: time.Second,
		OnError: func(_ context.Context, m jetstream.Message, err error) { t.Errorf("%s: %v", m.ID, err) },
	})
	const keys, each = 5, 60
	addr := srv.URL()[len("nats://"):]
	for i := range each {
		if i == each/2 {
			require.NoError(t, srv.Close())
			srv, err = embedded.Start(within(t), embedded.Config{StoreDir: dir, Addr: addr})
			require.NoError(t, err)
		}
		for k := range keys {
			require.NoError(t, p.Send(within(t), "s.x", jetstream.Message{Key: strconv.Itoa(k), Data: []byte(strconv.Itoa(i))}))
		}
	}
	require.NoError(t, p.Close())
	next := map[string]int{}
	for _, m := range r.stored("S") {
		k := m.Header.Get(jetstream.HeaderKey)
		require.Equal(t, strconv.Itoa(next[k]), string(m.Data), "key %s", k)
		next[k]++
	}
	for k := range keys {
		require.Equal(t, each, next[strconv.Itoa(k)])
	}
	require.NotZero(t, p.Stats().Retried)
	nc.Close()
	require.NoError(t, srv.Close())
}

// What was acknowledged is stored; everything else comes back, in order.
func TestShutdownHandsBackWhatWasNotAcknowledged(t *testing.T) {
	srv, err := embedded.Start(within(t), embedded.Config{StoreDir: t.TempDir()})
	require.NoError(t, err)
	nc, err := srv.Connect(nats.MaxReconnects(-1), nats.ReconnectWait(time.Hour))
	require.NoError(t, err)
	defer nc.Close()
	js, err := njs.New(nc)
	require.NoError(t, err)
	r := &rig{t: t, nc: nc, js: js}
	r.stream("S", njs.LimitsPolicy, "s.>")
	p := r.publisher(jetstream.PublisherConfig{MaxBatch: 4, MaxPending: 20})
	for range 10 {
		require.NoError(t, p.Send(within(t), "s.x", jetstream.Message{}))
	}
	require.NoError(t, p.Flush(within(t)))
	require.EqualValues(t, 10, p.Stats().Acked)
	require.NoError(t, srv.Close())

	sent := map[string]bool{}
	var mu sync.Mutex
	var senders sync.WaitGroup
	var closed atomic.Int32
	for i := range 60 { // more than there is room for
		senders.Go(func() {
			id := strconv.Itoa(i)
			m := jetstream.Message{ID: id, Key: []string{"", "a", "b"}[i%3]}
			if i%4 == 0 {
				if _, err := p.Publish(within(t), "s.x", m); !errors.Is(err, jetstream.ErrClosed) {
					t.Errorf("Publish: %v", err)
				}
				closed.Add(1)
				return
			}
			switch err := p.Send(within(t), "s.x", m); {
			case err == nil:
				mu.Lock()
				sent[id] = true
				mu.Unlock()
			case !errors.Is(err, jetstream.ErrClosed):
				t.Error(err)
			}
		})
	}
	require.Eventually(t, func() bool { return p.Stats().Pending == 60 }, patience, time.Millisecond)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	back, err := p.Shutdown(ctx)
	senders.Wait()
	var cut *jetstream.ShutdownError
	require.ErrorAs(t, err, &cut)
	require.ErrorIs(t, err, cause)
	require.ErrorIs(t, err, context.Canceled)
	for _, m := range back {
		require.True(t, sent[m.ID], "%q came back and was refused, or came back twice", m.ID)
		require.Equal(t, "s.x", m.Subject)
		delete(sent, m.ID)
	}
	require.Empty(t, sent, "accepted and lost")
	require.EqualValues(t, 15, closed.Load())
	<-p.Done()
	s := p.Stats()
	adds(t, s)
	require.Zero(t, s.Pending)
	require.EqualValues(t, cut.Messages, s.Returned)
	again, err := p.Shutdown(within(t))
	require.NoError(t, err)
	require.Empty(t, again)
}

func TestPublishLeavesWithItsContext(t *testing.T) {
	r := start(t)
	p := r.publisher(jetstream.PublisherConfig{Backoff: time.Hour, MaxBackoff: time.Hour, MaxBatch: 1, MaxPending: 1, Keys: 1})
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	var wg sync.WaitGroup
	for i := range 8 { // sent without an answer, waiting to be sent, waiting for room
		wg.Go(func() {
			_, err := p.Publish(ctx, "nowhere", jetstream.Message{Key: strconv.Itoa(i % 2)})
			if !errors.Is(err, cause) || !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	require.Eventually(t, func() bool { return p.Stats().Pending == 8 }, patience, time.Millisecond)
	cancel(cause)
	wg.Wait()
	adds(t, p.Stats())
	require.ErrorIs(t, p.Send(ctx, "nowhere", jetstream.Message{}), cause)
}

func TestTrySendDoesNotWait(t *testing.T) {
	r := start(t)
	p := r.publisher(jetstream.PublisherConfig{Backoff: time.Hour, MaxBackoff: time.Hour, MaxBatch: 1, MaxPending: 3, Keys: 1})
	var err error
	for range 100 {
		if err = p.TrySend(within(t), "nowhere", jetstream.Message{Key: "k"}); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, jetstream.ErrFull)
}

// The connection ends under the Publisher: everything fails, nothing hangs.
func TestPublisherOfAClosedConnection(t *testing.T) {
	r := start(t)
	r.stream("S", njs.LimitsPolicy, "s.>")
	nc, err := r.srv.Connect()
	require.NoError(t, err)
	p, err := jetstream.NewPublisher(jetstream.PublisherConfig{Conn: nc})
	require.NoError(t, err)
	_, err = p.Publish(within(t), "s.x", jetstream.Message{})
	require.NoError(t, err)
	nc.Close()
	_, err = p.Publish(within(t), "s.x", jetstream.Message{})
	require.ErrorIs(t, err, nats.ErrConnectionClosed)
	require.NoError(t, p.Close())
}

func TestPublisherConfigErrors(t *testing.T) {
	nc := new(nats.Conn)
	for want, cfg := range map[string]jetstream.PublisherConfig{
		"jetstream: Conn is nil":                                            {},
		"jetstream: MaxBatch -1 is negative":                                {Conn: nc, MaxBatch: -1},
		"jetstream: MaxPending -1 is negative":                              {Conn: nc, MaxPending: -1},
		"jetstream: MaxPendingBytes -1 is negative":                         {Conn: nc, MaxPendingBytes: -1},
		"jetstream: Keys -1 is negative":                                    {Conn: nc, Keys: -1},
		"jetstream: MaxAttempts -1 is negative":                             {Conn: nc, MaxAttempts: -1},
		"jetstream: Timeout -1ns is negative":                               {Conn: nc, Timeout: -1},
		"jetstream: Backoff -1ns is negative":                               {Conn: nc, Backoff: -1},
		"jetstream: MaxBackoff -1ns is negative":                            {Conn: nc, MaxBackoff: -1},
		fmt.Sprintf("jetstream: MaxBatch %d exceeds 16777216", math.MaxInt): {Conn: nc, MaxBatch: math.MaxInt},
		fmt.Sprintf("jetstream: Keys %d exceeds 16777216", math.MaxInt):     {Conn: nc, Keys: math.MaxInt},
	} {
		_, err := jetstream.NewPublisher(cfg)
		require.EqualError(t, err, want)
	}
}

func TestNilContextOfAPublisher(t *testing.T) {
	r := start(t)
	p := r.publisher(jetstream.PublisherConfig{})
	var none context.Context
	for name, f := range map[string]func(){
		"Publish":  func() { _, _ = p.Publish(none, "x", jetstream.Message{}) },
		"Send":     func() { _ = p.Send(none, "x", jetstream.Message{}) },
		"TrySend":  func() { _ = p.TrySend(none, "x", jetstream.Message{}) },
		"Flush":    func() { _ = p.Flush(none) },
		"Shutdown": func() { _, _ = p.Shutdown(none) },
	} {
		require.PanicsWithValue(t, "jetstream: nil Context", f, name)
	}
	runtime.KeepAlive(p)
}
