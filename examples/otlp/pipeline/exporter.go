package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// exporter sends batches of spans to an OTLP receiver. It is also the codec of its
// calls: a request is put together from spans that are encoded already.
type exporter struct {
	conn            *grpc.ClientConn
	resource, scope []byte // encoded: who sends the spans, and what made them
}

// Reconnect makes gRPC look for a lost receiver more often than its default of up to
// two minutes.
var Reconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: time.Second,
})

func newExporter(addr, service string) (*exporter, error) {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), Reconnect)
	if err != nil {
		return nil, err
	}
	name := &commonpb.KeyValue{Key: "service.name", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: service}}}
	e := &exporter{conn: conn}
	e.resource, err = proto.Marshal(&tracepb.ResourceSpans{Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{name}}})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	e.scope, err = proto.Marshal(&tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{Name: "poundlock/examples/otlp"}})
	return e, err
}

// send makes one call. rejected is how many of the spans the receiver did not want:
// OTLP's partial success, which does not say which ones.
func (e *exporter) send(ctx context.Context, spans []*Span) (rejected int, why, err error) {
	var res coltracepb.ExportTraceServiceResponse
	err = e.conn.Invoke(ctx, coltracepb.TraceService_Export_FullMethodName, spans, &res, grpc.ForceCodecV2(e))
	if err != nil {
		return 0, nil, err
	}
	partial := res.GetPartialSuccess()
	rejected = int(max(0, min(partial.GetRejectedSpans(), int64(len(spans)))))
	return rejected, fmt.Errorf("rejected by the receiver: %q", partial.GetErrorMessage()), nil
}

// Ping returns an error if no OTLP receiver answers at addr.
func Ping(addr string) error {
	e, err := newExporter(addr, "ping")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, _, err = e.send(ctx, nil); err != nil {
		err = fmt.Errorf("no OTLP receiver at %s: %w", addr, err)
	}
	return errors.Join(err, e.conn.Close())
}

// retryable says which failures of a call OTLP lets a client repeat.
func retryable(err error) bool {
	s := status.Convert(err)
	switch s.Code() {
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
		return true
	case codes.ResourceExhausted: // only if the receiver says when
		for _, d := range s.Details() {
			if _, ok := d.(*errdetails.RetryInfo); ok {
				return true
			}
		}
	}
	return false
}

// Marshal encodes a request: spans in a ScopeSpans in a ResourceSpans.
func (e *exporter) Marshal(v any) (mem.BufferSlice, error) {
	spans, inScope := v.([]*Span), len(e.scope)
	for _, s := range spans {
		inScope += sizeBytes(len(s.wire))
	}
	inResource := len(e.resource) + sizeBytes(inScope)
	pool := mem.DefaultBufferPool() // gRPC gives the buffer back when it is written
	buf := pool.Get(sizeBytes(inResource))
	b := append(appendLen((*buf)[:0], 1, inResource), e.resource...)
	b = append(appendLen(b, 2, inScope), e.scope...)
	for _, s := range spans {
		b = appendBytes(b, 2, s.wire)
	}
	*buf = b
	return mem.BufferSlice{mem.NewBuffer(buf, pool)}, nil
}

// Unmarshal decodes a response.
func (e *exporter) Unmarshal(data mem.BufferSlice, v any) error {
	return proto.Unmarshal(data.Materialize(), v.(proto.Message))
}

// Name is the content type that both sides speak.
func (e *exporter) Name() string { return "proto" }
