package jetstream_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/poundlock/poundlock/jetstream"
	"github.com/poundlock/poundlock/observe"
)

func TestStatsRegisterWithObserve(t *testing.T) {
	r := start(t)
	cfg := r.queue(0, 0, time.Minute)
	p := r.publisher(jetstream.PublisherConfig{})
	handled := make(chan struct{})
	cfg.Handle = func(context.Context, *jetstream.Delivery) error { close(handled); return nil }
	w := r.worker(cfg)
	_, err := p.Publish(within(t), "s.x", jetstream.Message{})
	require.NoError(t, err)
	<-handled
	r.drained("S")
	require.NoError(t, w.Close())

	var reg observe.Registry
	_, err = observe.Add(&reg, "orders", p)
	require.NoError(t, err)
	_, err = observe.Add(&reg, "ship", w)
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, reg.WriteText(within(t), &out))
	for _, line := range []string{
		`poundlock_jetstream_publisher_acked_total{name="orders"} 1`,
		`poundlock_jetstream_publisher_pending{name="orders"} 0`,
		`poundlock_jetstream_publisher_ack_time_seconds_count{name="orders"} 1`,
		`poundlock_jetstream_acked_total{name="ship"} 1`,
		`poundlock_jetstream_running{name="ship"} 0`,
		`poundlock_jetstream_run_time_seconds_count{name="ship"} 1`,
		`poundlock_jetstream_wait_seconds_count{name="ship"} 1`,
		`# TYPE poundlock_jetstream_wait_seconds histogram`,
		`# HELP poundlock_jetstream_acked_total Handled, and the server has the acknowledgement`,
	} {
		require.Contains(t, out.String(), line+"\n")
	}
}

// A trace goes on where the message is handled: OpenTelemetry's propagators read and
// write the header, a map of the type that they know from HTTP.
func TestATraceGoesThroughTheHeader(t *testing.T) {
	r := start(t)
	cfg := r.queue(0, 0, time.Minute)
	var w3c propagation.TraceContext
	p := r.publisher(jetstream.PublisherConfig{Inject: func(ctx context.Context, h nats.Header) {
		w3c.Inject(ctx, propagation.HeaderCarrier(h))
	}})
	cfg.Extract = func(ctx context.Context, h nats.Header) context.Context {
		return w3c.Extract(ctx, propagation.HeaderCarrier(h))
	}
	got := make(chan trace.SpanContext, 1)
	cfg.Handle = func(ctx context.Context, _ *jetstream.Delivery) error {
		got <- trace.SpanContextFromContext(ctx)
		return nil
	}
	w := r.worker(cfg)
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3}, TraceFlags: trace.FlagsSampled})
	require.NoError(t, p.Send(trace.ContextWithSpanContext(within(t), span), "s.x", jetstream.Message{}))
	require.True(t, (<-got).Equal(span.WithRemote(true)))
	require.NoError(t, w.Close())
}
