package jetstream_test

import (
	"context"
	"fmt"
	"os"

	njs "github.com/nats-io/nats.go/jetstream"

	"github.com/poundlock/poundlock/jetstream"
	"github.com/poundlock/poundlock/jetstream/embedded"
)

// A queue and one of the processes that work on it. In production the server is a
// cluster, and Conn comes from nats.Connect with its addresses.
func Example() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	srv := jetstream.Must(embedded.Start(ctx, embedded.Config{StoreDir: dir, SyncAlways: true}))
	defer srv.Close()
	nc := jetstream.Must(srv.Connect())
	defer nc.Close()

	js := jetstream.Must(njs.New(nc))
	jetstream.Must(js.CreateOrUpdateStream(ctx, njs.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Retention: njs.WorkQueuePolicy}))
	jetstream.Must(js.CreateOrUpdateConsumer(ctx, "ORDERS", njs.ConsumerConfig{Durable: "ship", AckPolicy: njs.AckExplicitPolicy, MaxDeliver: -1}))

	p := jetstream.Must(jetstream.NewPublisher(jetstream.PublisherConfig{Conn: nc}))
	jetstream.Must(p.Publish(ctx, "orders.new", jetstream.Message{ID: "4711", Data: []byte("two anchors")}))
	_ = p.Close()

	shipped := make(chan string)
	w := jetstream.Must(jetstream.Start(ctx, jetstream.Config{
		Conn: nc, Stream: "ORDERS", Consumer: "ship", Workers: 8,
		Handle: func(_ context.Context, d *jetstream.Delivery) error {
			shipped <- string(d.Data)
			return nil
		},
	}))
	fmt.Println(<-shipped)
	_ = w.Close()
	fmt.Println(w.Stats().Acked, "acked")
	// Output:
	// two anchors
	// 1 acked
}
