package main

import (
	"context"
	"sync"
	"time"

	"github.com/MasterOfBinary/gobatch/batch"
	"github.com/MasterOfBinary/gobatch/source"
	"github.com/destel/rill"
	"github.com/graph-gophers/dataloader/v7"
	"github.com/samber/lo"
	"github.com/samber/ro"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/api/support/bundler"

	"github.com/poundlock/poundlock/internal/compare/batchchanbench"
)

// batchchanPeers are the batchers that batchchan is compared with beside those of
// the standard library.
var batchchanPeers = []batchchanbench.Peer{
	{Name: "rill", Config: "Batch and ForEach with one worker, on a channel with the same room", New: newRill},
	{Name: "bundler", Config: "AddWait of size 1, HandlerLimit 1, BufferedByteLimit as room", New: newBundler},
	{Name: "gobatch", Config: "MaxItems and MaxTime, source.Channel with the same room", New: newGobatch},
	{Name: "lo", Config: "BufferWithTimeout in a loop; its time counts from the call, not from an item", New: newLo},
	{Name: "ro", Config: "BufferWithTimeOrCount on FromChannel with the same room; its time is a ticker's", New: newRo},
	{Name: "otel-bsp", Config: "BatchSpanProcessor, WithBlocking, one span per item", New: newBSP},
	{Name: "dataloader", Config: "no cache, capacity 64, wait 1 ms", NewCaller: newDataloader, NewMerger: newMergingLoader},
}

// benchRoom is the room that every batcher of these cases has.
func benchRoom(size int) int { return max(4096, 4*size) }

func newRill(size int, linger time.Duration, process func([]int)) batchchanbench.Batcher {
	in := make(chan rill.Try[int], benchRoom(size))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = rill.ForEach(rill.Batch(in, size, linger), 1, func(items []int) error {
			process(items)
			return nil
		})
	}()
	return batchchanbench.Batcher{
		Send:  func(v int) { in <- rill.Try[int]{Value: v} },
		Close: func() { close(in); <-done },
	}
}

func newBundler(size int, linger time.Duration, process func([]int)) batchchanbench.Batcher {
	b := bundler.NewBundler(0, func(items any) { process(items.([]int)) })
	b.BundleCountThreshold = size
	b.DelayThreshold = linger
	b.BundleByteThreshold = 1 << 30
	b.BufferedByteLimit = benchRoom(size)
	b.HandlerLimit = 1
	ctx := context.Background()
	return batchchanbench.Batcher{
		Send: func(v int) {
			if err := b.AddWait(ctx, v, 1); err != nil {
				panic(err)
			}
		},
		Close: b.Flush,
	}
}

// gobatchProcessor runs concurrently in gobatch; process must not.
type gobatchProcessor struct {
	mu      sync.Mutex
	items   []int
	process func([]int)
}

func (p *gobatchProcessor) Process(_ context.Context, items []*batch.Item) ([]*batch.Item, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.items = p.items[:0]
	for _, it := range items {
		p.items = append(p.items, it.Data.(int))
	}
	p.process(p.items)
	return items, nil
}

func newGobatch(size int, linger time.Duration, process func([]int)) batchchanbench.Batcher {
	in := make(chan any, benchRoom(size))
	b := batch.New(batch.NewConstantConfig(&batch.ConfigValues{
		MinItems: uint64(size), MaxItems: uint64(size), MaxTime: linger,
	}))
	batch.IgnoreErrors(b.Go(context.Background(), &source.Channel{Input: in, BufferSize: benchRoom(size)}, &gobatchProcessor{process: process}))
	return batchchanbench.Batcher{
		Send:  func(v int) { in <- v },
		Close: func() { close(in); <-b.Done() },
	}
}

func newLo(size int, linger time.Duration, process func([]int)) batchchanbench.Batcher {
	in := make(chan int, benchRoom(size))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			items, n, _, ok := lo.BufferWithTimeout(in, size, linger)
			if n > 0 {
				process(items)
			}
			if !ok {
				return
			}
		}
	}()
	return batchchanbench.Batcher{
		Send:  func(v int) { in <- v },
		Close: func() { close(in); <-done },
	}
}

func newRo(size int, linger time.Duration, process func([]int)) batchchanbench.Batcher {
	in := make(chan int, benchRoom(size))
	done := make(chan struct{})
	batches := ro.Pipe1(ro.FromChannel(in), ro.BufferWithTimeOrCount[int](size, linger))
	sub := batches.Subscribe(ro.NewObserver(
		func(items []int) {
			if len(items) > 0 { // its ticker hands out empty ones as well
				process(items)
			}
		},
		func(err error) { panic(err) },
		func() { close(done) },
	))
	return batchchanbench.Batcher{
		Send:  func(v int) { in <- v },
		Close: func() { close(in); <-done; sub.Unsubscribe() },
	}
}

// intSpan is an item as a span.
type intSpan struct {
	sdktrace.ReadOnlySpan
	v int
}

var sampled = trace.NewSpanContext(trace.SpanContextConfig{
	TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled,
})

func (*intSpan) SpanContext() trace.SpanContext { return sampled }

// intExporter hands the items of spans to process.
type intExporter struct {
	items   []int
	process func([]int)
}

func (e *intExporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.items = e.items[:0]
	for _, s := range spans {
		e.items = append(e.items, s.(*intSpan).v)
	}
	e.process(e.items)
	return nil
}

func (*intExporter) Shutdown(context.Context) error { return nil }

func newBSP(size int, linger time.Duration, process func([]int)) batchchanbench.Batcher {
	p := sdktrace.NewBatchSpanProcessor(&intExporter{process: process},
		sdktrace.WithMaxExportBatchSize(size), sdktrace.WithBatchTimeout(linger),
		sdktrace.WithMaxQueueSize(benchRoom(size)), sdktrace.WithBlocking())
	return batchchanbench.Batcher{
		Send: func(v int) { p.OnEnd(&intSpan{v: v}) },
		Close: func() {
			if err := p.Shutdown(context.Background()); err != nil {
				panic(err)
			}
		},
	}
}

func newDataloader(answer func(reqs, res []int)) batchchanbench.Caller {
	return newLoader(answer, &dataloader.NoCache[int, int]{})
}

// newMergingLoader merges equal requests with dataloader's own means: its cache,
// which here is never cleared, as no request comes back.
func newMergingLoader(answer func(reqs, res []int)) batchchanbench.Caller {
	return newLoader(answer, dataloader.NewCache[int, int]())
}

func newLoader(answer func(reqs, res []int), cache dataloader.Cache[int, int]) batchchanbench.Caller {
	load := dataloader.NewBatchedLoader(func(_ context.Context, reqs []int) []*dataloader.Result[int] {
		res := make([]int, len(reqs))
		answer(reqs, res)
		results := make([]*dataloader.Result[int], len(reqs))
		for i, v := range res {
			results[i] = &dataloader.Result[int]{Data: v}
		}
		return results
	},
		dataloader.WithBatchCapacity[int, int](64),
		dataloader.WithWait[int, int](time.Millisecond),
		dataloader.WithCache[int, int](cache))
	ctx := context.Background()
	return batchchanbench.Caller{Do: func(req int) int {
		v, err := load.Load(ctx, req)()
		if err != nil {
			panic(err)
		}
		return v
	}}
}
