package jetstream_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// A key of which there is always a message held does not keep others from the worker.
func TestABusyKeyLetsOthersThrough(t *testing.T) {
	r := start(t)
	cfg := r.queue(0, 0, time.Minute)
	const ahead, before, after = 4, 10, 40
	cfg.Workers, cfg.Ahead, cfg.Key = 1, ahead, (*jetstream.Delivery).Key
	p := r.publisher(jetstream.PublisherConfig{})
	for i := range before + 1 + after {
		m := jetstream.Message{Key: "busy"}
		if i == before {
			m.Key = "other"
		}
		_, err := p.Publish(within(t), "s.x", m)
		require.NoError(t, err)
	}
	var w *jetstream.Worker
	ready := make(chan struct{})
	var order []string // the handler's own: there is one worker
	ctx := within(t)
	cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error {
		<-ready
		for w.Stats().Waiting < min(ahead, before+after-len(order)) && ctx.Err() == nil {
			<-time.After(time.Millisecond) // real time: the server sends
		}
		order = append(order, d.Key())
		return nil
	}
	w = r.worker(cfg)
	close(ready)
	r.drained("S")
	require.NoError(t, w.Close())
	require.Len(t, order, before+1+after)
	require.LessOrEqual(t, slices.Index(order, "other"), before+ahead)
}
