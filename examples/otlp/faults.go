package main

import (
	"context"
	"errors"
	"sync"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/poundlock/poundlock/examples/otlp/pipeline"
)

// opener returns a contender that sends to addr.
type opener func(addr string, l *ledger) (contender, error)

// fault runs a contender under load, has something go wrong, and returns the fates of
// the spans. happen may kill the receiver, start it again and stop the load; deadline is
// that of the shutdown that follows.
func fault(open opener, perSpan, deadline time.Duration, happen func(r *pipeline.Receiver, addr string, stop func()) error) (*ledger, error) {
	l := newLedger()
	r := &pipeline.Receiver{Accept: func(s *tracepb.Span) bool {
		if l.note([8]byte(s.SpanId), received); perSpan > 0 {
			time.Sleep(perSpan)
		}
		return true
	}}
	addr, err := r.Listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c, err := open(addr, l)
	if err != nil {
		return nil, errors.Join(err, r.Kill())
	}
	var load sync.WaitGroup
	stopped := make(chan struct{})
	for range 2 {
		load.Go(func() { steadily(5000, stopped, c.do) })
	}
	stop := sync.OnceFunc(func() { close(stopped); load.Wait() })
	err = happen(r, addr, stop)
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	_ = c.shutdown(ctx) // what it could not do is in the ledger
	stop()
	return l, errors.Join(err, r.Kill())
}

// shutdownUnderLoad ends the pipeline while spans still come, and before a slow receiver
// has taken those that wait.
func shutdownUnderLoad(open opener) (*ledger, error) {
	return fault(open, 100*time.Microsecond, 100*time.Millisecond, func(*pipeline.Receiver, string, func()) error {
		time.Sleep(300 * time.Millisecond)
		return nil
	})
}

// receiverRestarts has the receiver away for a while.
func receiverRestarts(open opener) (*ledger, error) {
	return fault(open, 0, 10*time.Second, func(r *pipeline.Receiver, addr string, stop func()) error {
		time.Sleep(300 * time.Millisecond)
		killed := r.Kill()
		time.Sleep(700 * time.Millisecond)
		_, err := r.Listen(addr)
		time.Sleep(300 * time.Millisecond)
		stop()
		return errors.Join(killed, err)
	})
}
