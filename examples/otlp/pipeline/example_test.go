package pipeline_test

import (
	"context"
	"fmt"
	"time"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/examples/otlp/pipeline"
)

func Example() {
	var receiver pipeline.Receiver
	addr, err := receiver.Listen("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := pipeline.New(pipeline.Options{Addr: addr, Batch: 100, Linger: time.Second, Pending: 1000, Overflow: batchchan.Block})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 250 {
		s := p.Start("checkout", 2) // a server's span
		s.Set(pipeline.String("user", "alice"), pipeline.Int("items", int64(i)))
		p.End(s)
	}
	fmt.Println(p.Shutdown(context.Background()))
	fmt.Println(receiver.Spans.Load(), "spans in", receiver.Calls.Load(), "calls;", receiver.Kill())
	// Output:
	// <nil>
	// 250 spans in 3 calls; <nil>
}
