package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"github.com/poundlock/poundlock/jetstream"
)

const (
	stream   = "BENCH"
	consumer = "workers"
)

// natsSystem is a queue on NATS JetStream: what stores is the same for all.
func natsSystem(name, against string, keep njs.RetentionPolicy, begin func(j *job, nc *nats.Conn, handle func(id int)) (func() error, error)) system {
	return system{
		name: name, against: []string{against}, share: 1,
		available: func(at *addresses) bool { return at.NATS != "" },
		store:     func(ctx context.Context, at *addresses, n int) error { return storeNATS(ctx, at, keep, n) },
		connect: func(_ context.Context, j *job) (func(func(int)) (func() error, error), error) {
			nc, err := nats.Connect(j.At.NATS)
			if err != nil {
				return nil, err
			}
			return func(handle func(int)) (func() error, error) {
				end, err := begin(j, nc, handle)
				return func() error {
					defer nc.Close()
					return end()
				}, err
			}, nil
		},
	}
}

func storeNATS(ctx context.Context, at *addresses, keep njs.RetentionPolicy, n int) error {
	nc, err := nats.Connect(at.NATS)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := njs.New(nc)
	if err != nil {
		return err
	}
	if err := js.DeleteStream(ctx, stream); err != nil && !errors.Is(err, njs.ErrStreamNotFound) {
		return err
	}
	if _, err := js.CreateStream(ctx, njs.StreamConfig{Name: stream, Subjects: []string{"bench.>"}, Retention: keep}); err != nil {
		return err
	}
	_, err = js.CreateConsumer(ctx, stream, njs.ConsumerConfig{
		Durable: consumer, AckPolicy: njs.AckExplicitPolicy, MaxDeliver: -1, MaxAckPending: 4 * held,
	})
	if err != nil {
		return err
	}
	p, err := jetstream.NewPublisher(jetstream.PublisherConfig{
		Conn: nc, OnError: func(_ context.Context, _ jetstream.Message, err error) { panic(err) },
	})
	if err != nil {
		return err
	}
	for i := range n {
		if err := p.Send(ctx, "bench.x", jetstream.Message{Data: []byte(payload(i))}); err != nil {
			return err
		}
	}
	return p.Close()
}

// payload is a message of 100 bytes with a number.
func payload(id int) string { return fmt.Sprintf("%-100d", id) }

func number(data []byte) int {
	id, err := strconv.Atoi(strings.TrimRight(string(data), " "))
	if err != nil {
		panic(err)
	}
	return id
}

// worker is jetstream's Worker.
func worker(double bool) func(j *job, nc *nats.Conn, handle func(id int)) (func() error, error) {
	return func(j *job, nc *nats.Conn, handle func(id int)) (func() error, error) {
		w, err := jetstream.Start(context.Background(), jetstream.Config{
			Conn: nc, Stream: stream, Consumer: consumer, Workers: j.Workers, Ahead: held - j.Workers, DoubleAck: double,
			Handle: func(_ context.Context, d *jetstream.Delivery) error {
				handle(number(d.Data))
				return nil
			},
		})
		if err != nil {
			return nil, err
		}
		return w.Close, nil
	}
}

// plain is nats.go's own loop with a goroutine per message. As many messages as the
// Worker may hold are under way.
func plain(double bool) func(j *job, nc *nats.Conn, handle func(id int)) (func() error, error) {
	return func(_ *job, nc *nats.Conn, handle func(id int)) (func() error, error) {
		js, err := njs.New(nc)
		if err != nil {
			return nil, err
		}
		c, err := js.Consumer(context.Background(), stream, consumer)
		if err != nil {
			return nil, err
		}
		room := make(chan struct{}, held/2) // the other half is in the client's buffer
		var running sync.WaitGroup
		consuming, err := c.Consume(func(m njs.Msg) {
			room <- struct{}{}
			running.Go(func() {
				defer func() { <-room }()
				handle(number(m.Data()))
				if double {
					ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
					defer cancel()
					_ = m.DoubleAck(ctx)
				} else {
					_ = m.Ack()
				}
			})
		}, njs.PullMaxMessages(held/2))
		if err != nil {
			return nil, err
		}
		return func() error {
			consuming.Stop()
			running.Wait()
			return nc.Flush()
		}, nil
	}
}
