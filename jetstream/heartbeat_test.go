package jetstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// Close waits for a handler for longer than AckWait, and meanwhile keeps its message from
// others.
func TestCloseKeepsWhatRunsFromOthers(t *testing.T) {
	r := start(t)
	const wait = 400 * time.Millisecond
	cfg := r.queue(1, 0, wait)
	started, goOn := make(chan struct{}), make(chan struct{})
	cfg.Handle = func(context.Context, *jetstream.Delivery) error {
		close(started) // a second call panics
		<-goOn
		return nil
	}
	alive := make(chan *nats.Msg, 1000) // what the server is told of messages
	sub, err := r.nc.ChanSubscribe("$JS.ACK.>", alive)
	require.NoError(t, err)
	w := r.worker(cfg)
	<-started
	closed := make(chan error)
	go func() { closed <- w.Close() }()
	<-time.After(3 * wait) // real time: the server's AckWait is under test
	close(goOn)
	require.NoError(t, <-closed)
	s := w.Stats()
	require.Equal(t, []uint64{1, 1, 0}, []uint64{s.Fetched, s.Acked, s.Lost})
	r.drained("S")
	require.NoError(t, sub.Unsubscribe())
	var beats uint64
	for len(alive) > 0 {
		if string((<-alive).Data) == "+WPI" {
			beats++
		}
	}
	require.Equal(t, beats, s.Heartbeats)
	require.GreaterOrEqual(t, beats, uint64(3))
}

// Each message that a Worker has is kept from others by heartbeats of its own: those of a
// batch that is being handled, and those that wait. Stats counts them by message.
func TestEachHeldMessageHasItsHeartbeats(t *testing.T) {
	r := start(t)
	const wait, running, waiting = 400 * time.Millisecond, 3, 2
	cfg := r.queue(running+waiting, 0, wait)
	cfg.MaxBatch, cfg.Ahead = running, waiting
	cfg.Linger = wait / 4
	started, goOn := make(chan int, 10), make(chan struct{})
	cfg.HandleBatch = func(_ context.Context, ds []*jetstream.Delivery) error {
		started <- len(ds)
		<-goOn
		return nil
	}
	alive := make(chan *nats.Msg, 1000) // what the server is told of messages
	sub, err := r.nc.ChanSubscribe("$JS.ACK.>", alive)
	require.NoError(t, err)
	w := r.worker(cfg)
	require.Equal(t, running, <-started)
	<-time.After(3 * wait) // real time: the server's AckWait is under test
	close(goOn)
	r.drained("S")
	require.NoError(t, w.Close())
	require.NoError(t, sub.Unsubscribe())
	s := w.Stats()
	require.Equal(t, []uint64{running + waiting, running + waiting, 0}, []uint64{s.Fetched, s.Acked, s.Lost})
	beats, all := map[string]int{}, uint64(0)
	for len(alive) > 0 {
		if m := <-alive; string(m.Data) == "+WPI" {
			beats[m.Subject]++
			all++
		}
	}
	require.Equal(t, all, s.Heartbeats)
	require.Len(t, beats, running+waiting)
	for subject, n := range beats {
		require.GreaterOrEqual(t, n, 3, subject)
	}
}
