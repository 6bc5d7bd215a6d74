package otel

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

// Origin is the span that something came from: take it where a task is submitted or an item
// is sent, and keep it with the task or the item.
type Origin struct{ span trace.SpanContext }

// OriginOf returns the span of ctx. It is worth keeping only if there is one, which
// costs a look.
func OriginOf(ctx context.Context) Origin { return Origin{trace.SpanContextFromContext(ctx)} }

// mostLinks is how many links a span gets: the SDK's own default.
const mostLinks = 128

// Linked starts a span that is linked to the spans of its origins: of one task, or of each item
// of a batch. Origins without a span, and of those of one span all but the first, make no
// link; beyond 128 there are no more. The span is a child of that in ctx, if any.
//
//	origin := poundotel.OriginOf(ctx)
//	err := pool.Submit(func() {
//		ctx, span := poundotel.Linked(context.Background(), tracer, "resize", nil, origin)
//		defer span.End()
//		...
//	})
func Linked(ctx context.Context, t trace.Tracer, name string, opts []trace.SpanStartOption, origins ...Origin) (context.Context, trace.Span) {
	var links []trace.Link
	seen := map[trace.SpanID]bool{}
	for _, o := range origins {
		if !o.span.IsValid() || seen[o.span.SpanID()] || len(links) == mostLinks {
			continue
		}
		seen[o.span.SpanID()] = true
		links = append(links, trace.Link{SpanContext: o.span})
	}
	if links == nil {
		return t.Start(ctx, name, opts...)
	}
	return t.Start(ctx, name, append(opts[:len(opts):len(opts)], trace.WithLinks(links...))...)
}
