package main

import (
	"context"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/examples/otlp/pipeline"
	"github.com/poundlock/poundlock/objpool"
)

// claim is a classic one, and the two ways of doing the same thing that it is about.
type claim struct {
	rows          []*row // time, and bytes if something is claimed of them
	before, after func()
}

// sink has attributes set through it. The compiler does not know what is behind an
// interface, so their list escapes to the heap, as with every tracing API that is one.
type sink interface{ Set(attrs ...pipeline.Attr) }

// What is stored here escapes, as a span does that goes to a queue.
var (
	keptSpan  *pipeline.Span
	keptAttrs []pipeline.Attr
	keptSmall *[64]byte
	keptID    *[16]byte
	keptSink  sink = new(pipeline.Span)
	keptRest  []byte

	_ = []any{&keptAttrs, &keptSmall, &keptID, &keptRest} // linters take what is only written for unused
)

func claims() []claim {
	spans := objpool.Must(pipeline.NewSpanPool(1024))
	small := objpool.Must(objpool.New(objpool.Config[*[64]byte]{New: func() *[64]byte { return new([64]byte) }}))
	ids := objpool.Must(objpool.New(objpool.Config[*[16]byte]{New: func() *[16]byte { return new([16]byte) }}))
	const cheap = "Go 1.26 makes and frees a small object in about the time of a Get and a Put."
	span := new(pipeline.Span)
	keptSink = span
	ns := func(what, claim string, low float64, why string) *row {
		return &row{What: what, Figure: "time, ns", Claim: claim, low: low, Why: why}
	}
	bytes := func(what, claim string, low float64, why string) *row {
		return &row{What: what, Figure: "allocated, bytes", Claim: claim, low: low, Why: why, share: true}
	}
	return []claim{{
		rows: []*row{
			ns("pool spans", "2-3 x", 2, "Filling in and encoding a span takes more than making one."),
			bytes("pool spans", "85-90 %", 85, ""),
		},
		before: func() { keptSpan = new(pipeline.Span); record(keptSpan) },
		after:  func() { s := spans.Get(); record(s); spans.Put(s) },
	}, {
		rows:   []*row{ns("pool 64 B", "2-3 x", 2, cheap)},
		before: func() { keptSmall = new([64]byte) },
		after:  func() { b := small.Get(); *b = [64]byte{}; keptSmall = b; small.Put(b) },
	}, {
		rows:   []*row{ns("pool 16 B", "2-3 x", 2, cheap)},
		before: func() { keptID = new([16]byte) },
		after:  func() { b := ids.Get(); *b = [16]byte{}; keptID = b; ids.Put(b) },
	}, {
		rows: []*row{
			ns("preallocate", "1.5-2 x", 1.5, "Allocating is cheap today; copying the attributes remains."),
			bytes("preallocate", "60-70 %", 60, "Go 1.26 lets a slice grow its first steps on the stack."),
		},
		before: func() { keptAttrs = collect(nil) },
		after:  func() { keptAttrs = collect(make([]pipeline.Attr, 0, 10)) },
	}, {
		rows: []*row{
			ns("on the stack", "2-4 x", 2, "Building the list takes as long as the one allocation."),
			bytes("on the stack", "0 B", 99.5, ""), // the rest of the process allocates, too; a word would be 1.7 % of it
		},
		before: func() { a := request(); keptSink.Set(a[:]...); span.Reset() },
		after:  func() { a := request(); span.Set(a[:]...); span.Reset() },
	}}
}

func collect(attrs []pipeline.Attr) []pipeline.Attr {
	for _, a := range request() {
		attrs = append(attrs, a)
	}
	return attrs
}

// tryClaim makes both sides do the same n times.
func tryClaim(c claim, rounds, n int) {
	side := func(do func()) func() []float64 {
		return func() []float64 {
			u := measure(func() {
				for range n {
					do()
				}
			})
			return []float64{float64(u.wall.Nanoseconds()) / float64(n), u.bytes / float64(n)}
		}
	}
	takeTurns(rounds, c.rows, side(c.before), side(c.after))
}

// tryBatching sends n spans to the receiver, one a call and then 100 a call.
func tryBatching(addr string, rounds, n int) ([]*row, error) {
	rows := []*row{
		{What: "batch", Figure: "time a span, ns", Claim: "5-10 x", low: 5, Why: "The calls are cheap here."},
		{What: "batch", Figure: "calls a span", Claim: "90 %", low: 90, share: true},
	}
	var failed error
	side := func(batch, n int) func() []float64 {
		return func() []float64 {
			p, err := pipeline.New(pipeline.Options{Addr: addr, Batch: batch, Linger: -1, Pending: 2048, Overflow: batchchan.Block})
			if err != nil {
				failed = err
				return nil
			}
			u := measure(func() {
				for range n {
					ours{p, nil}.do()
				}
				if err := p.Shutdown(context.Background()); err != nil {
					failed = err
				}
			})
			return []float64{float64(u.wall.Nanoseconds()) / float64(n), float64(p.Stats().Batches) / float64(n)}
		}
	}
	takeTurns(rounds, rows, side(1, n/10), side(100, n))
	return rows, failed
}
