package pipeline

import (
	"context"
	"errors"
	"net"
	"sync/atomic"

	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Receiver is an OTLP receiver in a few lines. It counts what it gets.
type Receiver struct {
	coltracepb.UnimplementedTraceServiceServer
	Calls, Spans atomic.Int64             // so far; Spans without those that it rejected
	Accept       func(*tracepb.Span) bool // false rejects the span; nil takes all
	server       *grpc.Server
	served       chan error
}

// Export is the one call of OTLP's trace service. Its response may be a partial
// success.
func (r *Receiver) Export(_ context.Context, req *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	var spans, rejected int64
	for _, resource := range req.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				spans++
				if r.Accept != nil && !r.Accept(s) {
					rejected++
				}
			}
		}
	}
	r.Calls.Add(1)
	r.Spans.Add(spans - rejected)
	res := new(coltracepb.ExportTraceServiceResponse)
	if rejected > 0 {
		res.PartialSuccess = &coltracepb.ExportTracePartialSuccess{RejectedSpans: rejected, ErrorMessage: "not wanted"}
	}
	return res, nil
}

// Listen serves on addr, in the background, and returns the address.
func (r *Receiver) Listen(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	server, served := grpc.NewServer(grpc.WaitForHandlers(true)), make(chan error, 1)
	coltracepb.RegisterTraceServiceServer(server, r)
	go func() { served <- server.Serve(l) }()
	r.server, r.served = server, served
	return l.Addr().String(), nil
}

// Kill cuts all connections and answers nobody. Listen serves again. Without a Listen
// before it does nothing.
func (r *Receiver) Kill() error {
	if r.server == nil {
		return nil
	}
	r.server.Stop()
	r.server = nil
	if err := <-r.served; !errors.Is(err, grpc.ErrServerStopped) { // before it served
		return err
	}
	return nil
}
