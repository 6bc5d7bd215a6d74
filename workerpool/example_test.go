package workerpool_test

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/poundlock/poundlock/workerpool"
)

func Example() {
	pool, err := workerpool.New(workerpool.Config{MaxWorkers: 8})
	if err != nil {
		panic(err)
	}
	var sum atomic.Int64
	for i := range 100 {
		if err := pool.Submit(func() { sum.Add(int64(i)) }); err != nil {
			panic(err)
		}
	}
	pool.Close() // runs what was accepted
	fmt.Println(sum.Load(), pool.Stats().Completed)
	// Output: 4950 100
}

func ExampleGo() {
	pool, _ := workerpool.New(workerpool.Config{})
	defer pool.Close()
	ctx := context.Background()

	square := workerpool.Go(ctx, pool, func(context.Context) (int, error) { return 7 * 7, nil })
	broken := workerpool.Go(ctx, pool, func(context.Context) (int, error) { panic("no luck") },
		workerpool.WithLabel("lottery"))

	fmt.Println(square.Wait(ctx))
	_, err := broken.Wait(ctx)
	fmt.Println(err)
	// Output:
	// 49 <nil>
	// workerpool: task "lottery" panicked: no luck
}

func ExamplePool_Do() {
	pool, _ := workerpool.New(workerpool.Config{Priorities: 2})
	defer pool.Close()

	err := pool.Do(context.Background(), workerpool.Task{
		Run: func(ctx context.Context) error {
			<-ctx.Done() // a slow call that respects its ctx
			return ctx.Err()
		},
		Priority: 1,
		Timeout:  10 * time.Millisecond,
		Label:    "lookup",
	})
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExamplePool_Group() {
	pool, _ := workerpool.New(workerpool.Config{})
	defer pool.Close()

	group := pool.Group(context.Background(), workerpool.FailFast())
	for _, name := range []string{"a", "b", "c"} {
		group.Go(func(ctx context.Context) error {
			if name == "b" {
				return fmt.Errorf("%s is broken", name)
			}
			return nil
		})
	}
	fmt.Println(group.Wait())
	// Output: b is broken
}

func ExampleMap() {
	pool, _ := workerpool.New(workerpool.Config{})
	defer pool.Close()

	words := slices.Values([]string{"one", "three", "eleven"})
	length := func(_ context.Context, s string) (int, error) { return len(s), nil }
	for n, err := range workerpool.Map(context.Background(), pool, words, length) {
		fmt.Println(n, err)
	}
	// Output:
	// 3 <nil>
	// 5 <nil>
	// 6 <nil>
}

func ExamplePool_Limit() {
	pool, _ := workerpool.New(workerpool.Config{MaxWorkers: 16})
	reports := pool.Limit(2) // reports never take more than two workers

	for range 10 {
		_ = reports.Submit(func() { /* heavy */ })
	}
	pool.Close()
	fmt.Println(reports.Stats().Ended)
	// Output: 10
}

func ExampleNewFunc() {
	var total atomic.Int64
	pool, _ := workerpool.NewFunc(workerpool.Config{}, func(n int) { total.Add(int64(n)) })
	for i := range 10 {
		_ = pool.Invoke(i)
	}
	pool.Close()
	fmt.Println(total.Load())
	// Output: 45
}

// A service that fetches pages, follows their links, and on SIGTERM finishes what
// it can within a grace period: fan-out from within tasks, a deadline per task,
// results, and a graceful shutdown.
func Example_crawler() {
	links := map[string][]string{ // instead of the web
		"/":  {"/a", "/b"},
		"/a": {"/c"},
		"/b": {"/c", "/d"},
	}
	fetch := func(ctx context.Context, url string) ([]string, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		default:
			return links[url], nil
		}
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	pool, err := workerpool.New(workerpool.Config{
		Name:        "crawler",
		MaxWorkers:  32,
		TaskTimeout: 5 * time.Second,
	})
	if err != nil {
		panic(err)
	}

	seen := make(chan map[string]bool, 1)
	seen <- map[string]bool{}
	group := pool.Group(ctx)
	var visit func(url string)
	visit = func(url string) {
		group.Go(func(ctx context.Context) error {
			next, err := fetch(ctx, url)
			if err != nil {
				return fmt.Errorf("%s: %w", url, err)
			}
			for _, u := range next {
				m := <-seen
				fresh := !m[u]
				m[u] = true
				seen <- m
				if fresh {
					visit(u)
				}
			}
			return nil
		}, workerpool.WithLabel(url))
	}
	visit("/")
	if err := group.Wait(); err != nil {
		fmt.Println("not everything was fetched:", err)
	}

	// On SIGTERM ctx ends, queued fetches do not start and running ones are
	// cancelled; what remains gets ten seconds.
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := pool.Shutdown(grace); err != nil {
		fmt.Println(err)
	}
	st := pool.Stats()
	fmt.Println(len(<-seen), "links,", st.Completed, "fetched,", st.Failed, "failed")
	// Output: 4 links, 5 fetched, 0 failed
}

// Work that was leased elsewhere goes back when the pool drops it: by the overflow
// policy, or by a Shutdown that runs out of time.
func ExampleConfig_onDrop() {
	giveBack := func(d workerpool.DroppedTask) { fmt.Printf("give back message %v: %v\n", d.Arg, d.Err) }
	stuck, release := make(chan struct{}), make(chan struct{})
	pool, err := workerpool.NewFunc(workerpool.Config{MaxWorkers: 1, OnDrop: giveBack}, func(message int) {
		close(stuck)
		<-release
	})
	if err != nil {
		panic(err)
	}
	for message := range 3 {
		if err := pool.Invoke(message); err != nil {
			giveBack(workerpool.DroppedTask{Arg: message, Err: err}) // not accepted
		}
	}
	<-stuck
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	fmt.Println(pool.Shutdown(ctx) != nil)
	close(release)
	<-pool.Done()
	// Output:
	// give back message 1: workerpool: pool is closed
	// give back message 2: workerpool: pool is closed
	// true
}

// Two tasks that pass something to each other, on a pool that has one worker.
func ExamplePool_Blocking() {
	pool, err := workerpool.New(workerpool.Config{MaxWorkers: 1})
	if err != nil {
		panic(err)
	}
	ctx, results := context.Background(), make(chan int)
	_ = pool.Submit(func() {
		err := pool.Blocking(ctx, func() { fmt.Println("got", <-results) }) // another worker runs meanwhile
		if err != nil {
			fmt.Println(err)
		}
	})
	_ = pool.Submit(func() { results <- 42 })
	pool.Close()
	fmt.Println(pool.Stats().MaxWorkers)
	// Output:
	// got 42
	// 1
}

// A server that would rather refuse than queue.
func ExampleTryGo() {
	pool, err := workerpool.New(workerpool.Config{MaxWorkers: 1, QueueSize: workerpool.NoQueue})
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	ctx := context.Background()
	goOn := make(chan struct{})
	first, err := workerpool.TryGo(ctx, pool, func(context.Context) (string, error) { <-goOn; return "done", nil })
	if err != nil {
		panic(err)
	}
	_, err = workerpool.TryGo(ctx, pool, func(context.Context) (string, error) { return "never", nil })
	fmt.Println(err)
	close(goOn)
	fmt.Println(first.Wait(ctx))
	// Output:
	// workerpool: queue is full
	// done <nil>
}
