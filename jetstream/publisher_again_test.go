package jetstream_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// A key's message that is sent again holds up those behind it, those of its batch, too.
func TestNothingOvertakesWhatIsSentAgain(t *testing.T) {
	r := start(t)
	held := make(chan *nats.Msg, 10)
	sub, err := r.nc.ChanSubscribe("held", held)
	require.NoError(t, err)
	p := r.publisher(jetstream.PublisherConfig{Timeout: time.Hour, Backoff: time.Millisecond})
	for i := range 4 { // the first is sent, the others become a batch
		require.NoError(t, p.Send(within(t), "held", jetstream.Message{ID: strconv.Itoa(i), Key: "k"}))
	}
	failed := false
	for _, id := range []string{"0", "1", "2", "2", "3"} {
		m := <-held
		require.Equal(t, id, m.Header.Get(nats.MsgIdHdr))
		require.Empty(t, held, "one at a time")
		if id == "2" && !failed {
			failed = true
			require.NoError(t, m.Respond([]byte(`{"error":{"code":503,"description":"not now"}}`)))
			continue
		}
		require.NoError(t, m.Respond([]byte(`{"stream":"S","seq":1}`)))
	}
	require.NoError(t, p.Close())
	require.EqualValues(t, 4, p.Stats().Acked)
	require.NoError(t, sub.Unsubscribe())
}

// A Publish that leaves before its message was sent takes that with it: it is never sent.
func TestWhatLeftIsNotSent(t *testing.T) {
	r := start(t)
	held := make(chan *nats.Msg, 10)
	sub, err := r.nc.ChanSubscribe("held", held)
	require.NoError(t, err)
	p := r.publisher(jetstream.PublisherConfig{Timeout: time.Hour})
	send := func(ctx context.Context, id string) <-chan error {
		left := make(chan error, 1)
		was := p.Stats().Pending
		go func() {
			_, err := p.Publish(ctx, "held", jetstream.Message{ID: id, Key: "k"})
			left <- err
		}()
		require.Eventually(t, func() bool { return p.Stats().Pending == was+1 }, patience, time.Millisecond)
		return left
	}
	first := send(within(t), "first")
	sent := <-held
	ctx, cancel := context.WithCancel(context.Background())
	second := send(ctx, "second") // waits behind the first
	cancel()
	require.ErrorIs(t, <-second, context.Canceled)
	third := send(within(t), "third")
	for _, id := range []string{"first", "third"} {
		require.Equal(t, id, sent.Header.Get(nats.MsgIdHdr))
		require.NoError(t, sent.Respond([]byte(`{"stream":"S","seq":1}`)))
		if id == "first" {
			sent = <-held
		}
	}
	require.NoError(t, <-first)
	require.NoError(t, <-third)
	require.NoError(t, sub.Unsubscribe())
	s := p.Stats()
	adds(t, s)
	require.Equal(t, []uint64{2, 1, 0}, []uint64{s.Acked, s.Cancelled, s.Retried})
	require.Equal(t, 2, s.HighWater)
}

// What the server cannot do now it is asked again; what it will never do it is not.
func TestWhatTheServerSaysIsTriedAgain(t *testing.T) {
	r := start(t)
	for code, again := range map[int]bool{400: false, 404: false, 499: false, 500: true, 503: true} {
		asked := 0
		sub, err := r.nc.Subscribe("busy", func(m *nats.Msg) {
			if asked++; asked == 1 {
				_ = m.Respond(fmt.Appendf(nil, `{"error":{"code":%d,"description":"not now"}}`, code))
				return
			}
			_ = m.Respond([]byte(`{"stream":"S","seq":1}`))
		})
		require.NoError(t, err)
		p := r.publisher(jetstream.PublisherConfig{Backoff: time.Millisecond})
		_, err = p.Publish(within(t), "busy", jetstream.Message{})
		require.NoError(t, sub.Unsubscribe())
		if again {
			require.NoError(t, err, code)
			require.EqualValues(t, 1, p.Stats().Retried, code)
		} else {
			require.ErrorContains(t, err, "not now", code)
			require.Zero(t, p.Stats().Retried, code)
		}
	}
}
