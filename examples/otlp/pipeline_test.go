package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	coltracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/examples/otlp/pipeline"
)

func listen(t *testing.T, r *pipeline.Receiver) string {
	addr, err := r.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Kill()) })
	return addr
}

func TestSpansArriveInBatches(t *testing.T) {
	var r pipeline.Receiver
	c, err := newOurs(listen(t, &r), 100, -1, nil)
	require.NoError(t, err)
	for range 1000 {
		c.do()
	}
	require.NoError(t, c.shutdown(t.Context()))
	require.EqualValues(t, 1000, r.Spans.Load())
	require.EqualValues(t, 10, r.Calls.Load())
}

// Who could not listen again kills what is dead already.
func TestAReceiverIsKilledTwice(t *testing.T) {
	var r pipeline.Receiver
	require.NoError(t, r.Kill(), "it did not listen yet")
	_, err := r.Listen("127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, r.Kill())
	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer other.Close()
	_, err = r.Listen(other.Addr().String())
	require.Error(t, err)
	killed := make(chan error, 1)
	go func() { killed <- r.Kill() }()
	select {
	case err := <-killed:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("Kill waits for ever")
	}
}

func TestALoneSpanGoesAfterItsLinger(t *testing.T) {
	arrived := make(chan bool, 1)
	r := pipeline.Receiver{Accept: func(*tracepb.Span) bool { arrived <- true; return true }}
	c, err := newOurs(listen(t, &r), 100, time.Millisecond, nil)
	require.NoError(t, err)
	c.do()
	<-arrived
	require.NoError(t, c.shutdown(t.Context()))
}

// The books: every span that was sent is exported, dropped or handed back, whatever
// the receiver does to it, and HandBack has as many as the books say. Spans have no
// room here, calls fail as a whole and in part, and the receiver is away twice.
func TestTheBooksBalance(t *testing.T) {
	l := newLedger()
	r := pipeline.Receiver{Accept: func(s *tracepb.Span) bool {
		l.note([8]byte(s.SpanId), received)
		return rand.IntN(10) > 0
	}}
	addr, err := r.Listen("127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	back := map[string]uint64{}
	p, err := pipeline.New(pipeline.Options{
		Addr: addr, Batch: 50, Linger: time.Millisecond, Pending: 500, Overflow: batchchan.DropOldest,
		HandBack: func(s *pipeline.Span, err error) {
			l.note(s.ID(), handedBack)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, batchchan.ErrDropped):
				back["dropped"]++
			case errors.Is(err, batchchan.ErrClosed):
				back["closed"]++
			default:
				back["failed"]++
			}
		},
	})
	require.NoError(t, err)
	var load sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		load.Go(func() { steadily(4000, stop, ours{p, l}.do) })
	}
	await := func(what string, ok func(s batchchan.Stats) bool) {
		require.Eventually(t, func() bool { return ok(p.Stats()) }, 2*time.Minute, time.Millisecond, what)
	}
	for range 2 {
		before := p.Stats()
		await("exports", func(s batchchan.Stats) bool { return s.Succeeded > before.Succeeded+1000 })
		require.NoError(t, r.Kill())
		await("drops", func(s batchchan.Stats) bool { return s.DroppedOldest > before.DroppedOldest+1000 })
		_, err = r.Listen(addr)
		require.NoError(t, err)
	}
	before := p.Stats()
	await("exports again", func(s batchchan.Stats) bool { return s.Succeeded > before.Succeeded+1000 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // nothing that waits has time to go
	require.Error(t, p.Shutdown(ctx))
	close(stop)
	load.Wait()
	require.NoError(t, r.Kill())

	s := p.Stats()
	require.Zero(t, s.Pending+s.InFlight)
	require.Equal(t, s.Accepted, s.Succeeded+s.DroppedOldest+s.Failed+s.Undelivered)
	require.EqualValues(t, l.count(sent, 0), s.Accepted+s.Rejected)
	require.Equal(t, s.DroppedOldest, back["dropped"])
	require.Equal(t, s.Undelivered+s.Rejected, back["closed"])
	require.Equal(t, s.Failed, back["failed"])
	require.NotZero(t, s.Failed)
	require.Zero(t, l.lost())
	pool := p.Spans()
	require.Zero(t, pool.Outstanding, "every span went back to the pool, once")
	require.NoError(t, pool.Check())
}

func TestNothingIsLostInAShutdownUnderLoad(t *testing.T) {
	l, err := shutdownUnderLoad(lingering)
	require.NoError(t, err)
	require.Zero(t, l.lost())
	require.NotZero(t, l.count(sent|handedBack, received))
	require.NotZero(t, l.count(sent|received, 0))
}

func TestNothingIsLostWhileTheReceiverIsAway(t *testing.T) {
	l, err := receiverRestarts(lingering)
	require.NoError(t, err)
	require.Zero(t, l.lost())
	require.NotZero(t, l.count(sent|received, 0))
}

func lingering(addr string, l *ledger) (contender, error) { return newOurs(addr, 100, time.Second, l) }

// The ledger itself notices a loss.
func TestTheLedgerCountsTheLost(t *testing.T) {
	l := newLedger()
	l.note([8]byte{1}, sent)
	l.note([8]byte{2}, sent)
	l.note([8]byte{2}, received)
	l.note([8]byte{3}, sent)
	l.note([8]byte{3}, handedBack)
	require.Equal(t, 1, l.lost())
	(*ledger)(nil).note([8]byte{1}, sent)
}

func TestWhatTheReceiverRejectsIsHandedBackOnce(t *testing.T) {
	r := pipeline.Receiver{Accept: func(*tracepb.Span) bool { return false }}
	l := newLedger()
	c, err := newOurs(listen(t, &r), 10, -1, l)
	require.NoError(t, err)
	for range 25 {
		c.do()
	}
	var failed *batchchan.FailedError
	require.ErrorAs(t, c.shutdown(t.Context()), &failed)
	require.Equal(t, 25, l.count(sent|handedBack, 0))
	require.EqualValues(t, 3, r.Calls.Load(), "a partial success is not tried again")
	require.EqualValues(t, 25, c.(ours).Stats().Failed)
}

type odd struct {
	coltracepb.UnimplementedTraceServiceServer
	rejected int64
}

func (o odd) Export(context.Context, *coltracepb.ExportTraceServiceRequest) (*coltracepb.ExportTraceServiceResponse, error) {
	return &coltracepb.ExportTraceServiceResponse{PartialSuccess: &coltracepb.ExportTracePartialSuccess{RejectedSpans: o.rejected, ErrorMessage: "odd"}}, nil
}

// A receiver that makes no sense: it rejects more spans than it was sent, or fewer than
// none.
func TestSenselessPartialSuccess(t *testing.T) {
	for rejected, want := range map[int64]uint64{-1: 0, 0: 0, 3: 3, 11: 10, 1 << 62: 10} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		g := grpc.NewServer()
		coltracepb.RegisterTraceServiceServer(g, odd{rejected: rejected})
		go g.Serve(l)
		c, err := newOurs(l.Addr().String(), 10, -1, newLedger())
		require.NoError(t, err)
		for range 10 {
			c.do()
		}
		_ = c.shutdown(t.Context())
		g.Stop()
		s := c.(ours).Stats()
		require.Equal(t, want, s.Failed, rejected)
		require.Equal(t, 10-want, s.Succeeded, rejected)
	}
}
