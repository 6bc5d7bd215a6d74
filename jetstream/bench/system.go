package main

import (
	"context"
	"sync"
)

// system is a queue that is compared.
type system struct {
	name       string
	against    string // the form of jetstream that gives the same guarantee
	durability string // filled in when the servers are known
	share      int    // it gets messages/share, so that slow ones take no longer
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

// all are the systems. "-double" has each acknowledgement confirmed by the server.
var all = []system{
	natsSystem("jetstream", "jetstream", worker(false)),
	natsSystem("plain", "jetstream", plain(false)),
	natsSystem("jetstream-double", "jetstream-double", worker(true)),
	natsSystem("plain-double", "jetstream-double", plain(true)),
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
