package main

import (
	"context"
	"sync"

	njs "github.com/nats-io/nats.go/jetstream"
)

// system is a queue that is compared.
type system struct {
	name       string
	against    []string // the forms of jetstream that it is compared with
	durability string   // filled in when the servers are known
	share      int      // it gets messages/share, so that slow ones take no longer
	available  func(at *addresses) bool
	store      func(ctx context.Context, at *addresses, n int) error
	// connect connects a worker process. begin makes it work: handle is called for
	// each message. end waits until what was handled is acknowledged.
	connect func(ctx context.Context, j *job) (begin func(handle func(id int)) (end func() error, err error), err error)
}

// addresses are where the servers are; "" means that there is none.
type addresses struct {
	NATS, Postgres, Redis string
}

// all are the systems. "-double" has each acknowledgement confirmed by the server. "-kept"
// leaves what was handled in the stream, as river leaves it in its table for a day: what is
// removed is written once more.
var all = []system{
	natsSystem("jetstream", "jetstream", njs.WorkQueuePolicy, worker(false)),
	natsSystem("plain", "jetstream", njs.WorkQueuePolicy, plain(false)),
	natsSystem("jetstream-double", "jetstream-double", njs.WorkQueuePolicy, worker(true)),
	natsSystem("plain-double", "jetstream-double", njs.WorkQueuePolicy, plain(true)),
	natsSystem("jetstream-kept", "jetstream-kept", njs.LimitsPolicy, worker(false)),
	natsSystem("plain-kept", "jetstream-kept", njs.LimitsPolicy, plain(false)),
	natsSystem("jetstream-kept-double", "jetstream-kept-double", njs.LimitsPolicy, worker(true)),
	riverSystem,
	asynqSystem,
}

// inParallel calls f for 0 to n-1, some at a time, and returns an error of one.
func inParallel(n int, f func(i int) error) error {
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	const lanes = 64
	for lane := range lanes {
		wg.Go(func() {
			for i := lane; i < n; i += lanes {
				if err := f(i); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}
