package main

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/poundlock/poundlock/examples/otlp/pipeline"
)

// collector starts the OpenTelemetry collector's own OTLP receiver, which gives what it
// receives to sink, and returns its address.
func collector(t *testing.T, sink func(ptrace.Traces) error) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())

	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"protocols": map[string]any{"grpc": map[string]any{"endpoint": addr}},
	}).Unmarshal(cfg))
	next, err := consumer.NewTraces(func(_ context.Context, td ptrace.Traces) error { return sink(td) })
	require.NoError(t, err)
	r, err := factory.CreateTraces(t.Context(), receivertest.NewNopSettings(factory.Type()), cfg, next)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, r.Shutdown(context.Background())) })
	return addr
}

// The collector's own receiver reads what the pipeline writes by hand.
func TestTheCollectorReceivesTheSpans(t *testing.T) {
	var spans atomic.Int64
	addr := collector(t, func(td ptrace.Traces) error {
		for _, resource := range td.ResourceSpans().All() {
			service, _ := resource.Resource().Attributes().Get("service.name")
			if service.Str() != "shop" {
				continue
			}
			for _, scope := range resource.ScopeSpans().All() {
				for _, s := range scope.Spans().All() {
					status, _ := s.Attributes().Get("http.response.status_code")
					route, _ := s.Attributes().Get("http.route")
					if s.Name() == operation && s.Kind() == ptrace.SpanKindServer && s.Attributes().Len() == 10 &&
						status.Int() == 200 && route.Str() == "/products/{id}" && !s.TraceID().IsEmpty() && !s.SpanID().IsEmpty() &&
						time.Since(s.EndTimestamp().AsTime()) < time.Hour {
						spans.Add(1)
					}
				}
			}
		}
		return nil
	})
	require.NoError(t, pipeline.Ping(addr))
	c, err := newOurs(addr, 100, -1, nil)
	require.NoError(t, err)
	for range 2050 {
		c.do()
	}
	require.NoError(t, c.shutdown(t.Context()))
	require.EqualValues(t, 2050, spans.Load())
}

// What the collector refuses for now is tried again; what it refuses for good is handed
// back.
func TestTheCollectorRefuses(t *testing.T) {
	var calls atomic.Int64
	var answer atomic.Pointer[error]
	addr := collector(t, func(ptrace.Traces) error {
		if calls.Add(1) == 1 {
			return context.DeadlineExceeded // not permanent
		}
		if err := answer.Load(); err != nil {
			return *err
		}
		return nil
	})
	l := newLedger()
	c, err := newOurs(addr, 10, -1, l)
	require.NoError(t, err)
	for range 10 {
		c.do()
	}
	require.Eventually(t, func() bool { return c.(ours).Stats().Succeeded == 10 }, 30*time.Second, time.Millisecond)
	require.EqualValues(t, 2, calls.Load())

	permanent := consumererror.NewPermanent(context.DeadlineExceeded)
	answer.Store(&permanent)
	for range 10 {
		c.do()
	}
	require.Error(t, c.shutdown(t.Context()))
	require.EqualValues(t, 3, calls.Load())
	require.Equal(t, 10, l.count(sent|handedBack, 0))
}
