package jetstream_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

func ok(context.Context, *jetstream.Delivery) error { return nil }

func okBatch(context.Context, []*jetstream.Delivery) error { return nil }

func TestStartNamesWhatIsWrong(t *testing.T) {
	r := start(t)
	r.stream("S", njs.LimitsPolicy, "s.>")
	good := njs.ConsumerConfig{Durable: "good", AckPolicy: njs.AckExplicitPolicy}
	for _, c := range []njs.ConsumerConfig{
		good,
		{Durable: "noack", AckPolicy: njs.AckNonePolicy},
		{Durable: "hasty", AckPolicy: njs.AckExplicitPolicy, AckWait: 50 * time.Millisecond},
		{Durable: "backoff", AckPolicy: njs.AckExplicitPolicy, MaxDeliver: 5, BackOff: []time.Duration{time.Second, 10 * time.Millisecond}},
		{Durable: "narrow", AckPolicy: njs.AckExplicitPolicy, MaxAckPending: 5},
		{Durable: "counts", AckPolicy: njs.AckExplicitPolicy, MaxDeliver: 5},
		{Name: "mortal", AckPolicy: njs.AckExplicitPolicy, InactiveThreshold: time.Hour},
		{Durable: "filter", AckPolicy: njs.AckExplicitPolicy, FilterSubjects: []string{"s.*.x", "s.y"}},
	} {
		_, err := r.js.CreateConsumer(within(t), "S", c)
		require.NoError(t, err)
	}
	_, err := r.js.CreatePushConsumer(within(t), "S", njs.ConsumerConfig{Durable: "push", AckPolicy: njs.AckExplicitPolicy, DeliverSubject: "p"})
	require.NoError(t, err)
	down, err := r.srv.Connect()
	require.NoError(t, err)
	down.Close()

	with := func(change func(*jetstream.Config)) jetstream.Config {
		c := jetstream.Config{Conn: r.nc, Stream: "S", Consumer: "good", Handle: ok}
		change(&c)
		return c
	}
	consumer := func(name string) jetstream.Config {
		return with(func(c *jetstream.Config) { c.Consumer = name })
	}
	for want, cfg := range map[string]jetstream.Config{
		"Conn is nil":                         with(func(c *jetstream.Config) { c.Conn = nil }),
		"Stream is empty":                     with(func(c *jetstream.Config) { c.Stream = "" }),
		"Consumer is empty":                   with(func(c *jetstream.Config) { c.Consumer = "" }),
		"Handle and HandleBatch are nil":      with(func(c *jetstream.Config) { c.Handle = nil }),
		"Handle and HandleBatch are both set": with(func(c *jetstream.Config) { c.HandleBatch = okBatch }),
		"MaxBatch -1 is negative":             with(func(c *jetstream.Config) { c.MaxBatch = -1 }),
		"MaxBatch and Linger need":            with(func(c *jetstream.Config) { c.MaxBatch = 2 }),
		"Linger -1ns is negative":             with(func(c *jetstream.Config) { c.Linger = -1 }),
		"Extract needs Handle": with(func(c *jetstream.Config) {
			c.Handle, c.HandleBatch = nil, okBatch
			c.Extract = func(ctx context.Context, _ nats.Header) context.Context { return ctx }
		}),
		"Workers -1 is negative":           with(func(c *jetstream.Config) { c.Workers = -1 }),
		"TaskTimeout -1ns is negative":     with(func(c *jetstream.Config) { c.TaskTimeout = -1 }),
		"NoHeartbeats needs a TaskTimeout": with(func(c *jetstream.Config) { c.NoHeartbeats = true }),
		"hold more than 16777216 messages": with(func(c *jetstream.Config) { c.Workers = math.MaxInt }),
		"and Ahead 0 hold more than": with(func(c *jetstream.Config) {
			c.Handle, c.HandleBatch, c.Workers, c.MaxBatch = nil, okBatch, math.MaxInt/2, 4
		}),
		"1, MaxBatch 1 and Ahead":                           with(func(c *jetstream.Config) { c.Ahead = math.MaxInt }),
		"MaxDeliver -1 is negative":                         with(func(c *jetstream.Config) { c.MaxDeliver = -1 }),
		"no server: the connection is CLOSED":               with(func(c *jetstream.Config) { c.Conn = down }),
		`stream "X": `:                                      with(func(c *jetstream.Config) { c.Stream = "X" }),
		`consumer "X" of stream "S": `:                      consumer("X"),
		`consumer "push" of stream "S": `:                   consumer("push"),
		"its AckPolicy is AckNone, not explicit":            consumer("noack"),
		"it is not durable":                                 consumer("mortal"),
		"AckWait, or shortest BackOff, 50ms is below 100ms": with(func(c *jetstream.Config) { c.Consumer = "hasty" }),
		"AckWait, or shortest BackOff, 10ms is below 100ms": consumer("backoff"),
		"MaxAckPending 5 is below the 6 messages":           with(func(c *jetstream.Config) { c.Consumer, c.Workers = "narrow", 3 }),
		"MaxDeliver 5 must be -1":                           with(func(c *jetstream.Config) { c.Consumer, c.MaxDeliver = "counts", 3 }),
		"30s is too short: without heartbeats a message that is held ahead may take 2 times TaskTimeout 16s": with(func(c *jetstream.Config) { c.NoHeartbeats, c.TaskTimeout = true, 16*time.Second }),
		"30s is too short: without heartbeats a message that is held ahead may take 8 times TaskTimeout 4s": with(func(c *jetstream.Config) {
			c.NoHeartbeats, c.TaskTimeout, c.Workers, c.Key = true, 4*time.Second, 4, (*jetstream.Delivery).Key
		}),
		"30s is too short: without heartbeats a message that is held ahead may take 2 times TaskTimeout 14.6s":    with(func(c *jetstream.Config) { c.NoHeartbeats, c.TaskTimeout = true, 14600*time.Millisecond }),
		"30s is too short: without heartbeats a message that is held ahead may take 2 times TaskTimeout 2562047h": with(func(c *jetstream.Config) { c.NoHeartbeats, c.TaskTimeout = true, math.MaxInt64 }),
		"2 times TaskTimeout 1s after a Linger of 28s": with(func(c *jetstream.Config) {
			c.NoHeartbeats, c.TaskTimeout, c.Handle, c.HandleBatch, c.Linger = true, time.Second, nil, okBatch, 28*time.Second
		}),
		`no stream has DeadLetter "dead"`:          with(func(c *jetstream.Config) { c.DeadLetter = "dead" }),
		`DeadLetter "s.>" has a wildcard`:          with(func(c *jetstream.Config) { c.Consumer, c.DeadLetter = "filter", "s.>" }),
		`DeadLetter "s.*.y" has a wildcard`:        with(func(c *jetstream.Config) { c.Consumer, c.DeadLetter = "filter", "s.*.y" }),
		`DeadLetter "s.y" comes back to consumer`:  with(func(c *jetstream.Config) { c.DeadLetter = "s.y" }),
		`DeadLetter "s.a.x" comes back to consume`: with(func(c *jetstream.Config) { c.Consumer, c.DeadLetter = "filter", "s.a.x" }),
	} {
		_, err := jetstream.Start(within(t), cfg)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "jetstream: ")
	}
	for name, cfg := range map[string]jetstream.Config{
		"nothing ahead": with(func(c *jetstream.Config) { c.Consumer, c.Workers, c.Ahead = "narrow", 5, -1 }),
		"just in time":  with(func(c *jetstream.Config) { c.NoHeartbeats, c.TaskTimeout = true, 14500*time.Millisecond }),
		"dead letter":   with(func(c *jetstream.Config) { c.Consumer, c.DeadLetter = "filter", "s.y.z" }),
	} {
		w, err := jetstream.Start(within(t), cfg)
		require.NoError(t, err, name)
		require.NoError(t, w.Close())
	}
	require.PanicsWithValue(t, "jetstream: nil Context", func() {
		var none context.Context
		_, _ = jetstream.Start(none, with(func(*jetstream.Config) {}))
	})
}

// A consumer may bound how many requests there are at a time, how long one may wait and how
// much it may ask for. A Worker asks within that.
func TestAConsumerThatBoundsRequests(t *testing.T) {
	for name, c := range map[string]njs.ConsumerConfig{
		"number":   {MaxWaiting: 1},
		"wait":     {MaxRequestExpires: 20 * time.Millisecond},
		"messages": {MaxRequestBatch: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			r.stream("S", njs.WorkQueuePolicy, "s.>")
			c.AckPolicy = njs.AckExplicitPolicy
			cfg := r.consumer("S", c)
			cfg.Workers = 4
			cfg.OnError = func(_ context.Context, _ *jetstream.Delivery, err error) { t.Error(err) }
			handled := make(chan struct{}, 100)
			cfg.Handle = func(context.Context, *jetstream.Delivery) error { handled <- struct{}{}; return nil }
			w := r.worker(cfg)
			p := r.publisher(jetstream.PublisherConfig{})
			for range 20 {
				_, err := p.Publish(within(t), "s.x", jetstream.Message{})
				require.NoError(t, err)
				<-handled
				require.NoError(t, p.Send(within(t), "s.x", jetstream.Message{}))
				require.NoError(t, p.Send(within(t), "s.x", jetstream.Message{}))
				<-handled
				<-handled
			}
			r.drained("S")
			require.NoError(t, w.Close())
			require.Zero(t, w.Stats().FetchErrors)
		})
	}
}
