package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"github.com/poundlock/poundlock/jetstream"
)

const (
	jobStream  = "SHOP_JOBS"
	jobSubject = "shop.jobs." // and the kind
	// jobWait is after what silence of a process the server gives its jobs to others.
	jobWait = 30 * time.Second
	// lastWord bounds what Shutdown takes to hand back jobs when its ctx has ended.
	lastWord = 2 * time.Second
)

// natsQueue is a Queue at NATS JetStream: its jobs outlive the process, and all
// processes of the shop share them. A job that fails is tried again until it is late.
// Settlements are never late: it is about money.
type natsQueue struct {
	conn     *nats.Conn
	pub      *jetstream.Publisher
	workers  []*jetstream.Worker // one for each kind
	handlers handlers
	log      *slog.Logger
}

// newNATSQueue connects to NATS, makes the stream and a consumer for each kind of job,
// so that no kind waits behind another, and starts to work.
func newNATSQueue(ctx context.Context, addrs string, hs handlers, log *slog.Logger, see *sight) (_ *natsQueue, err error) {
	for addr := range strings.SplitSeq(addrs, ",") { // their text may have a password
		if u, err := url.Parse(addr); err != nil || u.Scheme != "nats" && u.Scheme != "tls" || u.Host == "" {
			return nil, errors.New("shop: the queue's address is not like nats://host:4222")
		}
	}
	q := &natsQueue{handlers: hs, log: log}
	if q.conn, err = nats.Connect(addrs, nats.Name("shop"), nats.MaxReconnects(-1)); err != nil {
		return nil, fmt.Errorf("shop: the queue's server: %w", err)
	}
	if err = q.open(ctx, see); err != nil {
		return nil, errors.Join(fmt.Errorf("shop: the queue: %w", err), q.Shutdown(ctx))
	}
	return q, nil
}

func (q *natsQueue) open(ctx context.Context, see *sight) error {
	js, err := njs.New(q.conn)
	if err != nil {
		return err
	}
	stream, err := js.CreateOrUpdateStream(ctx, njs.StreamConfig{
		Name: jobStream, Subjects: []string{jobSubject + "*"}, Retention: njs.WorkQueuePolicy,
		MaxMsgs: 1_000_000, Discard: njs.DiscardNew,
	})
	if err != nil {
		return fmt.Errorf("stream %s: %w", jobStream, err)
	}
	if q.pub, err = jetstream.NewPublisher(jetstream.PublisherConfig{
		Name: "jobs", Conn: q.conn,
		OnError: func(_ context.Context, m jetstream.Message, err error) { q.log.Error("job not stored", "err", err) },
	}); err != nil {
		return err
	}
	add(see, "jobs", q.pub)
	for kind, workers := range map[string]int{"settle": 4, "mail": 2, "thumbnail": 2} {
		if _, err = stream.CreateOrUpdateConsumer(ctx, njs.ConsumerConfig{
			Durable: kind, FilterSubject: jobSubject + kind, AckPolicy: njs.AckExplicitPolicy, AckWait: jobWait, MaxDeliver: -1,
		}); err != nil {
			return fmt.Errorf("consumer %s: %w", kind, err)
		}
		w, err := jetstream.Start(ctx, jetstream.Config{
			Conn: q.conn, Stream: jobStream, Consumer: kind, Workers: workers, Handle: q.handle,
			Backoff: func(n int) time.Duration { return min(50*time.Millisecond<<min(n, 10), 2*time.Second) },
			OnError: func(_ context.Context, _ *jetstream.Delivery, err error) {
				q.log.Error("job failed", "kind", kind, "err", err)
			},
		})
		if err != nil {
			return err
		}
		q.workers = append(q.workers, w)
		add(see, kind, w)
	}
	return nil
}

func (q *natsQueue) handle(ctx context.Context, d *jetstream.Delivery) error {
	var j Job
	err := json.Unmarshal(d.Data, &j)
	handle := q.handlers[j.Kind]
	if err != nil || handle == nil {
		return fmt.Errorf("%w: message %d is no job", jetstream.ErrTerminal, d.Sequence)
	}
	end := d.Stored.Add(j.Within)
	if j.Kind == "settle" {
		end = time.Now().Add(j.Within) // of this attempt
	} else if time.Now().After(end) {
		return fmt.Errorf("%w: late: order %q, product %d", jetstream.ErrTerminal, j.Order.Key, j.ID)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	if err = handle(ctx, j); err != nil {
		return fmt.Errorf("order %q, product %d: %w", j.Order.Key, j.ID, err)
	}
	return nil
}

// Put implements Queue. It waits until the server has the job, up to 5 s also if the
// client leaves; a thumbnail is sent only.
func (q *natsQueue) Put(ctx context.Context, j Job) error {
	if q.handlers[j.Kind] == nil {
		return fmt.Errorf("shop: no handler for jobs of kind %q", j.Kind)
	}
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	m := jetstream.Message{Data: data}
	if j.Kind == "thumbnail" { // may be left out
		if err = q.pub.TrySend(ctx, jobSubject+j.Kind, m); errors.Is(err, jetstream.ErrFull) {
			return ErrQueueFull
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orderTimeout)
	defer cancel()
	if _, err = q.pub.Publish(ctx, jobSubject+j.Kind, m); err != nil {
		q.log.Error("job not stored", "kind", j.Kind, "order", j.Order.Key, "err", err)
	}
	return err
}

// Shutdown implements Queue. What was not started goes back to the server at once.
func (q *natsQueue) Shutdown(ctx context.Context) error {
	errs := make([]error, 1+len(q.workers))
	var wg sync.WaitGroup
	for i, w := range q.workers {
		wg.Go(func() {
			errs[i] = w.Shutdown(ctx)
			// Also when ctx has ended: what is on the way to a worker would be lost with
			// the connection until jobWait.
			select {
			case <-w.Done():
			case <-time.After(lastWord):
			}
		})
	}
	wg.Wait()
	if q.pub != nil {
		_, errs[len(q.workers)] = q.pub.Shutdown(ctx)
	}
	q.conn.Close()
	return errors.Join(errs...)
}
