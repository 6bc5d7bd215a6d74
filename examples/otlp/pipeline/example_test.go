package pipeline_test

import (
	"context"
	"fmt"
	"time"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/examples/otlp/pipeline"
)

// Spans go in, and the receiver has them.
func Example() {
	var r pipeline.Receiver
	addr, err := r.Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	p, err := pipeline.New(pipeline.Options{Addr: addr, Batch: 100, Linger: time.Second, Pending: 2048, Overflow: batchchan.DropOldest})
	if err != nil {
		panic(err)
	}
	for i := range 250 {
		s := p.Start("GET /products/{id}", 2) // SPAN_KIND_SERVER
		s.Set(pipeline.String("http.request.method", "GET"), pipeline.Int("product.id", int64(i)))
		p.End(s)
	}
	if err := p.Shutdown(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println(r.Spans.Load(), "spans in", r.Calls.Load(), "calls")
	_ = r.Kill()
	// Output: 250 spans in 3 calls
}
