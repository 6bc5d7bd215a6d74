package jetstream_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// A consumer per priority, each with a Worker of its own: what is urgent does not wait
// behind what is not, however much of that there is and however long it takes.
func TestAPriorityPerConsumer(t *testing.T) {
	r := start(t)
	r.stream("S", njs.WorkQueuePolicy, "s.>")
	release := make(chan struct{})
	done := make(chan string, 400)
	handle := func(_ context.Context, d *jetstream.Delivery) error {
		if d.Subject == "s.low" {
			<-release
		}
		done <- d.Subject
		return nil
	}
	var workers []*jetstream.Worker
	p := r.publisher(jetstream.PublisherConfig{})
	for i := range 200 {
		require.NoError(t, p.Send(within(t), "s.low", jetstream.Message{Data: []byte(strconv.Itoa(i))}))
	}
	for subject, share := range map[string]int{"low": 1, "high": 4} {
		cfg := r.consumer("S", njs.ConsumerConfig{Durable: subject, FilterSubject: "s." + subject, AckPolicy: njs.AckExplicitPolicy, AckWait: time.Minute})
		cfg.Workers, cfg.Handle = share, handle
		workers = append(workers, r.worker(cfg))
	}
	require.NoError(t, p.Flush(within(t)))
	for range 100 {
		require.NoError(t, p.Send(within(t), "s.high", jetstream.Message{}))
	}
	for range 100 {
		require.Equal(t, "s.high", <-done)
	}
	close(release)
	r.drained("S")
	for _, w := range workers {
		require.NoError(t, w.Close())
	}
	require.Empty(t, r.stored("S"))
}
