package connpool_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/connpool/health"
)

// listenEcho is a server for the examples: it sends back what it gets.
func listenEcho() (addr string, stop func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().String(), func() { ln.Close() }
}

// client is a connection with what must live as long as it does. A reader made anew
// for each loan would take bytes of the next reply into its buffer and lose them.
type client struct {
	net.Conn
	r *bufio.Reader
}

func dialClient(ctx context.Context, addr string) (*client, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReader(c)}, nil
}

// call sends a line and returns the reply; a deadline of ctx ends both.
func (c *client) call(ctx context.Context, line string) (string, error) {
	deadline, _ := ctx.Deadline() // zero: none
	if err := c.SetDeadline(deadline); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	return c.r.ReadString('\n')
}

// A pool of TCP connections, each with its buffered reader.
func Example() {
	addr, stop := listenEcho()
	defer stop()

	pool, err := connpool.New(connpool.Config[*client]{
		Dial:        func(ctx context.Context) (*client, error) { return dialClient(ctx, addr) },
		Close:       func(c *client) error { return c.Close() },
		MaxOpen:     8,
		IdleTimeout: time.Minute,
	})
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	err = pool.Do(context.Background(), func(ctx context.Context, c *client) error {
		reply, err := c.call(ctx, "hello")
		fmt.Print(reply)
		return err
	})
	fmt.Println(err, pool.Stats().Idle)
	// Output:
	// hello
	// <nil> 1
}

// Acquire and Release by hand: Release may be deferred, because after Destroy it
// does nothing.
func ExamplePool_Acquire() {
	pool, _ := connpool.New(connpool.Config[string]{
		Dial:  func(context.Context) (string, error) { return "a connection", nil },
		Close: func(string) error { return nil },
	})
	defer pool.Close()
	talk := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c, err := pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer c.Release()
		fmt.Println(c.Value())
		err = errors.New("broken")
		c.Destroy(err)
		return err
	}
	fmt.Println(talk(), pool.Stats().ClosedBy.Destroy)
	// Output:
	// a connection
	// broken 1
}

// What a careful client of a server that may go away sets.
func ExampleConfig() {
	addr, stop := listenEcho()
	defer stop()
	pool, err := connpool.New(connpool.Config[net.Conn]{
		Dial:  func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", addr) },
		Close: net.Conn.Close,
		Check: func(ctx context.Context, c net.Conn) error {
			deadline, _ := ctx.Deadline()
			_ = c.SetDeadline(deadline)
			defer c.SetDeadline(time.Time{})
			if _, err := c.Write([]byte{0}); err != nil {
				return err
			}
			_, err := io.ReadFull(c, make([]byte, 1))
			return err
		},
		MaxOpen: 16, MinIdle: 2, MaxDialing: 4, MaxWaiters: 1000,
		IdleTimeout: 5 * time.Minute, MaxLifetime: time.Hour,
		CheckAfterIdle: time.Second, KeepAlive: time.Minute,
		LeakAfter: time.Minute, LeakStacks: 100,
		Backoff: connpool.Backoff{Min: 50 * time.Millisecond, Max: 5 * time.Second},
		Breaker: connpool.Breaker{Failures: 5, OpenFor: 10 * time.Second},
	})
	fmt.Println(err, pool.Warm(context.Background(), 2), pool.Close())
	// Output: <nil> <nil> <nil>
}

// A function that may run twice is run again when its connection turns out to be dead.
func ExampleConfig_retryBroken() {
	var restarts atomic.Int64
	pool, _ := connpool.New(connpool.Config[int64]{
		Dial:        func(context.Context) (int64, error) { return restarts.Load(), nil },
		Close:       func(int64) error { return nil },
		RetryBroken: true,
	})
	defer pool.Close()
	read := func(_ context.Context, c int64) error {
		if c != restarts.Load() {
			return fmt.Errorf("read: %w", connpool.ErrBadConn)
		}
		return nil
	}
	fmt.Println(pool.Do(context.Background(), read))
	restarts.Add(1) // the server drops all connections
	fmt.Println(pool.Do(context.Background(), read), pool.Stats().Retries)
	// Output:
	// <nil>
	// <nil> 1
}

// One pool per address, 100 connections in all.
func ExampleKeyed() {
	one, stopOne := listenEcho()
	defer stopOne()
	two, stopTwo := listenEcho()
	defer stopTwo()

	pools, err := connpool.NewKeyed(connpool.KeyedConfig[string, net.Conn]{
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		Pool:     connpool.Config[net.Conn]{Close: net.Conn.Close, MaxOpen: 10},
		MaxTotal: 100,
	})
	if err != nil {
		panic(err)
	}
	defer pools.Close()
	for _, addr := range []string{one, two, one} {
		c, err := pools.Acquire(context.Background(), addr)
		if err != nil {
			panic(err)
		}
		c.Release()
	}
	s := pools.Stats()
	fmt.Println(s.Keys, "keys,", s.Acquires, "loans,", s.Dials, "dials")
	// Output: 2 keys, 3 loans, 2 dials
}

// A health report of the last minute.
func Example_health() {
	pool, _ := connpool.New(connpool.Config[int]{
		Name:  "db",
		Dial:  func(context.Context) (int, error) { return 0, errors.New("no route") },
		Close: func(int) error { return nil },
	})
	defer pool.Close()
	m := health.NewMonitor(health.Config{})
	now := time.Now()
	m.Observe(pool.Stats(), now)
	_, _ = pool.Acquire(context.Background())
	r := m.Observe(pool.Stats(), now.Add(time.Minute))
	fmt.Println(r.Score, r.Findings[0].What)
	// Output: 60 1 of 1 dials failed
}
