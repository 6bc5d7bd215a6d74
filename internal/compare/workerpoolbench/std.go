package workerpoolbench

import (
	"sync"

	"golang.org/x/sync/errgroup"
)

// goroutines is no pool at all: a goroutine per task.
func goroutines() Peer {
	return Peer{
		Name:   nameGo,
		Config: "a goroutine per task, no bound",
		Queue:  Unbounded,
		New: func(int) Pool {
			return Pool{Submit: func(task func()) error { go task(); return nil }}
		},
		NewFunc: func(_ int, fn func(int)) FuncPool {
			return FuncPool{Invoke: func(arg int) error { go fn(arg); return nil }}
		},
	}
}

// errGroup is errgroup with a limit: a goroutine per task behind a semaphore.
func errGroup() Peer {
	return Peer{
		Name:   "errgroup",
		Config: "SetLimit(workers); tasks are wrapped to return an error",
		Queue:  NoQueue,
		New: func(workers int) Pool {
			g := new(errgroup.Group)
			g.SetLimit(workers)
			return Pool{
				Submit: func(task func()) error {
					g.Go(func() error { task(); return nil })
					return nil
				},
				Close: func() { g.Wait() },
			}
		},
	}
}

// semaphore is the "channel" of ants' own benchmarks: a goroutine per task
// behind a buffered channel.
func semaphore() Peer {
	return Peer{
		Name:   "sem",
		Config: "a goroutine per task behind a channel of that capacity",
		Queue:  NoQueue,
		New: func(workers int) Pool {
			sem := make(chan struct{}, workers)
			return Pool{Submit: func(task func()) error {
				sem <- struct{}{}
				go func() {
					task()
					<-sem
				}()
				return nil
			}}
		},
	}
}

// chanCap is the capacity of the channel that fixed workers read, the same as
// the default queue of workerpool.
const chanCap = 1024

// channel is the pool that people write by hand: fixed workers and a channel.
func channel() Peer {
	return Peer{
		Name:   nameChan,
		Config: "fixed workers on a channel of capacity 1024",
		Queue:  Bounded,
		New: func(workers int) Pool {
			tasks := make(chan func(), chanCap)
			wait := fixed(workers, func() {
				for task := range tasks {
					task()
				}
			})
			return Pool{
				Submit: func(task func()) error { tasks <- task; return nil },
				Close:  func() { close(tasks); wait() },
			}
		},
		NewFunc: func(workers int, fn func(int)) FuncPool {
			args := make(chan int, chanCap)
			wait := fixed(workers, func() {
				for arg := range args {
					fn(arg)
				}
			})
			return FuncPool{
				Invoke: func(arg int) error { args <- arg; return nil },
				Close:  func() { close(args); wait() },
			}
		},
	}
}

// fixed starts n goroutines and returns what waits for their end.
func fixed(n int, loop func()) (wait func()) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(loop)
	}
	return wg.Wait
}
