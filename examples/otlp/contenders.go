package main

import (
	"context"
	"errors"
	"time"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/examples/otlp/pipeline"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// contender is a pipeline under test. With a ledger it drops spans that find no room,
// as pipelines of spans do, and notes the fate of each; without one it waits for room,
// so that each span of a measurement arrives.
type contender interface {
	do() // records one span
	shutdown(context.Context) error
}

// pending is how many spans may wait: the SDK's default, for both.
const pending = 2048

type ours struct {
	*pipeline.Pipeline
	seen *ledger
}

func newOurs(addr string, batch int, linger time.Duration, l *ledger) (contender, error) {
	o := pipeline.Options{Addr: addr, Batch: batch, Linger: linger, Pending: pending, Overflow: batchchan.Block}
	if l != nil {
		o.Overflow = batchchan.DropOldest
		o.HandBack = func(s *pipeline.Span, _ error) { l.note(s.ID(), handedBack) }
	}
	p, err := pipeline.New(o)
	return ours{p, l}, err
}

func (o ours) do() {
	s := o.Start(operation, server)
	a := request()
	s.Set(a[:]...)
	o.seen.note(s.ID(), sent)
	o.End(s)
}

func (o ours) shutdown(ctx context.Context) error { return o.Shutdown(ctx) }

// theirs is the OpenTelemetry SDK with its BatchSpanProcessor: its own sizes, and the
// times of ours for coming back to a lost receiver.
type theirs struct {
	provider *sdk.TracerProvider
	exporter *otlptrace.Exporter
	tracer   trace.Tracer
	seen     *ledger
}

func newTheirs(addr string, linger time.Duration, l *ledger) (contender, error) {
	exporter, err := otlptracegrpc.New(context.Background(), otlptracegrpc.WithEndpoint(addr), otlptracegrpc.WithInsecure(),
		otlptracegrpc.WithDialOption(pipeline.Reconnect),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: pipeline.RetryAfter, MaxInterval: pipeline.RetryAtMost, MaxElapsedTime: time.Minute}))
	if err != nil {
		return nil, err
	}
	options := []sdk.BatchSpanProcessorOption{sdk.WithBatchTimeout(linger)}
	if l == nil {
		options = append(options, sdk.WithBlocking())
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(exporter, options...))
	return theirs{p, exporter, p.Tracer("poundlock/examples/otlp"), l}, nil
}

func (t theirs) do() {
	_, s := t.tracer.Start(context.Background(), operation, trace.WithSpanKind(trace.SpanKindServer))
	a := sdkRequest()
	s.SetAttributes(a[:]...)
	if s.IsRecording() { // false once the provider was shut down: that is said
		t.seen.note(s.SpanContext().SpanID(), sent)
	}
	s.End()
}

// shutdown also ends the exporter: a batch in it would be tried again for a minute
// after a Shutdown of the provider that had to give up.
func (t theirs) shutdown(ctx context.Context) error {
	return errors.Join(t.provider.Shutdown(ctx), t.exporter.Shutdown(ctx))
}
