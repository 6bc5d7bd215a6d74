package jetstream_test

import (
	"context"
	"flag"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/jetstream"
	"github.com/poundlock/poundlock/jetstream/embedded"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // they wait most of the time
		panic(err)
	}
	if err := flag.Set("rapid.checks", checks()); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// checks is how many random scripts each model test runs.
func checks() string {
	if os.Getenv("POUNDLOCK_LONG") != "" {
		return "200"
	}
	return "8"
}

const patience = 20 * time.Second // on a loaded machine

// rig is a server in this process with one connection.
type rig struct {
	t   *testing.T
	srv *embedded.Server
	nc  *nats.Conn
	js  njs.JetStream
}

// start starts a server that ends with the test.
func start(t *testing.T) *rig {
	t.Helper()
	srv, err := embedded.Start(within(t), embedded.Config{StoreDir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	nc, err := srv.Connect()
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := njs.New(nc)
	require.NoError(t, err)
	return &rig{t, srv, nc, js}
}

// within returns a ctx that ends when the test has no patience left.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (r *rig) stream(name string, retention njs.RetentionPolicy, subjects ...string) {
	r.t.Helper()
	_, err := r.js.CreateOrUpdateStream(within(r.t), njs.StreamConfig{Name: name, Subjects: subjects, Retention: retention})
	require.NoError(r.t, err)
}

// stored returns what a stream holds, in order.
func (r *rig) stored(name string) (msgs []*njs.RawStreamMsg) {
	r.t.Helper()
	s, err := r.js.Stream(within(r.t), name)
	require.NoError(r.t, err)
	i, err := s.Info(within(r.t))
	require.NoError(r.t, err)
	for seq := i.State.FirstSeq; seq <= i.State.LastSeq && i.State.Msgs > 0; seq++ {
		m, err := s.GetMsg(within(r.t), seq)
		if err == nil { // else it is gone
			msgs = append(msgs, m)
		}
	}
	return msgs
}

func (r *rig) publisher(cfg jetstream.PublisherConfig) *jetstream.Publisher {
	r.t.Helper()
	cfg.Conn = r.nc
	p, err := jetstream.NewPublisher(cfg)
	require.NoError(r.t, err)
	r.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, _ = p.Shutdown(ctx)
		<-p.Done()
	})
	return p
}

// adds asserts that every message of p is accounted for once.
func adds(t *testing.T, s jetstream.PublisherStats) {
	t.Helper()
	require.Equal(t, s.Submitted, s.Acked+s.Failed+s.Cancelled+s.Returned+s.Rejected+uint64(s.Pending), "%+v", s)
}

// consumer makes a consumer and returns a Config for it.
func (r *rig) consumer(stream string, cfg njs.ConsumerConfig) jetstream.Config {
	r.t.Helper()
	if cfg.Durable == "" {
		cfg.Durable = "c"
	}
	cfg.MaxDeliver = -1
	_, err := r.js.CreateOrUpdateConsumer(within(r.t), stream, cfg)
	require.NoError(r.t, err)
	return jetstream.Config{Conn: r.nc, Stream: stream, Consumer: cfg.Durable, Backoff: func(int) time.Duration { return 5 * time.Millisecond }}
}

// queue makes a work queue S of s.> with n messages "0", "1", …
func (r *rig) queue(n int, keys int, wait time.Duration) jetstream.Config {
	r.t.Helper()
	r.stream("S", njs.WorkQueuePolicy, "s.>")
	cfg := r.consumer("S", njs.ConsumerConfig{AckPolicy: njs.AckExplicitPolicy, AckWait: wait})
	p := r.publisher(jetstream.PublisherConfig{})
	for i := range n {
		m := jetstream.Message{Data: []byte(strconv.Itoa(i))}
		if keys > 0 {
			m.Key = strconv.Itoa(i % keys)
		}
		require.NoError(r.t, p.Send(within(r.t), "s.x", m))
	}
	require.NoError(r.t, p.Close())
	return cfg
}

func (r *rig) worker(cfg jetstream.Config) *jetstream.Worker {
	r.t.Helper()
	w, err := jetstream.Start(within(r.t), cfg)
	require.NoError(r.t, err)
	r.t.Cleanup(func() {
		_ = w.Shutdown(within(r.t))
		<-w.Done()
		balanced(r.t, w.Stats())
	})
	return w
}

// drained waits until a work queue has nothing left: the server removes a message a little
// after it has confirmed the acknowledgement. (What a consumer says of itself does not
// tell: it hears of stored messages a little later.)
func (r *rig) drained(stream string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return empty(within(r.t), r.js, stream) }, patience, 5*time.Millisecond)
}

// empty says whether a stream holds nothing: of a work queue, whether all was handled or
// given up.
func empty(ctx context.Context, js njs.JetStream, stream string) bool {
	s, err := js.Stream(ctx, stream)
	return err == nil && s.CachedInfo().State.Msgs == 0
}

// balanced asserts that every message of w is accounted for once.
func balanced(t *testing.T, s jetstream.Stats) {
	t.Helper()
	require.Equal(t, s.Fetched, s.Acked+s.Failed+s.Terminated+s.DeadLettered+s.Returned+s.Lost+s.Unconfirmed+s.Abandoned+
		uint64(s.Waiting+s.Running+s.Acking), "%+v", s)
}
