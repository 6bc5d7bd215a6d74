package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"github.com/poundlock/poundlock/jetstream"
)

const (
	jobSubject = "shop.jobs."    // and the kind
	lastWord   = 2 * time.Second // what Shutdown may take to hand jobs back after its ctx has ended
)

// natsQueue is a Queue at NATS JetStream: its jobs outlive the process, and all
// processes of the shop share them. A job that fails is tried again until it is late.
// Settlements are never late: it is about money.
type natsQueue struct {
	conn     *nats.Conn
	pub      *jetstream.Publisher
	workers  []*jetstream.Worker // a subject, a consumer and a Worker for each kind: none waits behind another
	handlers handlers
	log      *slog.Logger
}

// newNATSQueue makes the stream and the consumers, if they are missing, and starts to work.
func newNATSQueue(ctx context.Context, c Config, hs handlers, see *sight) (_ *natsQueue, err error) {
	q, log := &natsQueue{handlers: hs, log: c.Log}, c.Log
	if q.conn, err = nats.Connect(c.Queue, nats.Name("shop"), nats.MaxReconnects(-1)); err != nil {
		if bad := new(url.Error); errors.As(err, &bad) {
			err = bad.Err // the rest is the address, which may have a password
		}
		return nil, fmt.Errorf("shop: the queue's server, -queue: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("shop: the queue: %w", err), q.Shutdown(ctx))
		}
	}()
	js, err := njs.New(q.conn)
	if err != nil {
		return nil, err
	}
	stream, err := js.CreateOrUpdateStream(ctx, njs.StreamConfig{
		Name: "SHOP_JOBS", Subjects: []string{jobSubject + "*"}, Retention: njs.WorkQueuePolicy,
		MaxMsgs: 1_000_000, Discard: njs.DiscardNew,
	})
	if err != nil {
		return nil, err
	}
	lost := func(_ context.Context, _ jetstream.Message, err error) { log.Error("job not stored", "err", err) }
	if q.pub, err = jetstream.NewPublisher(jetstream.PublisherConfig{Name: "jobs", Conn: q.conn, OnError: lost}); err != nil {
		return nil, err
	}
	add(see, "jobs", q.pub)
	cfg := jetstream.Config{
		Conn: q.conn, Stream: "SHOP_JOBS", Handle: q.handle,
		Backoff: func(n int) time.Duration { return min(50*time.Millisecond<<min(n, 10), 2*time.Second) },
		OnError: func(_ context.Context, _ *jetstream.Delivery, err error) { log.Error("job failed", "err", err) },
	}
	for cfg.Consumer, cfg.Workers = range map[string]int{"settle": 4, "mail": 2, "thumbnail": 2} {
		if _, err = stream.CreateOrUpdateConsumer(ctx, njs.ConsumerConfig{
			Durable: cfg.Consumer, FilterSubject: jobSubject + cfg.Consumer, AckPolicy: njs.AckExplicitPolicy, AckWait: c.JobWait, MaxDeliver: -1,
		}); err != nil {
			return nil, err
		}
		w, err := jetstream.Start(ctx, cfg)
		if err != nil {
			return nil, err
		}
		q.workers = append(q.workers, w)
		add(see, cfg.Consumer, w)
	}
	return q, nil
}

func (q *natsQueue) handle(ctx context.Context, d *jetstream.Delivery) error {
	var j Job
	if err := json.Unmarshal(d.Data, &j); err != nil || q.handlers[j.Kind] == nil {
		return fmt.Errorf("%w: message %d is no job", jetstream.ErrTerminal, d.Sequence)
	}
	now, end := time.Now(), d.Stored.Add(j.Within)
	if j.Kind == "settle" {
		end = now.Add(j.Within) // of this attempt
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	err := fmt.Errorf("%w: late", jetstream.ErrTerminal)
	if now.Before(end) {
		err = q.handlers[j.Kind](ctx, j)
	}
	if err != nil {
		err = fmt.Errorf("%s of order %q, product %d: %w", j.Kind, j.Order.Key, j.ID, err)
	}
	return err
}

// Put implements Queue. It waits until the server has the job, for 5 s at most, also if
// the client leaves. A thumbnail is sent on its way only.
func (q *natsQueue) Put(ctx context.Context, j Job) error {
	if q.handlers[j.Kind] == nil {
		return fmt.Errorf("shop: no handler for jobs of kind %q", j.Kind)
	}
	data, err := json.Marshal(j)
	if err != nil {
		return err
	}
	m := jetstream.Message{Data: data}
	if j.Kind == "mail" { // one, also if the customer asks again within the two minutes that the server remembers
		m.ID = fmt.Sprintf("mail %q", j.Order.Key) // a header carries no blanks around it
	}
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
			select { // what is on the way to w would be lost with the connection until JobWait
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
