package main

import (
	"github.com/alitto/pond/v2"
	"github.com/bytedance/gopkg/util/gopool"
	gammazero "github.com/gammazero/workerpool"
	"github.com/sourcegraph/conc/pool"

	"github.com/poundlock/poundlock/internal/compare/workerpoolbench"
)

// workerpoolPeers are the pools that workerpool is compared with beside ants and
// the standard library.
var workerpoolPeers = []workerpoolbench.Peer{
	{
		Name:   "pond",
		Config: "NewPool(workers, WithQueueSize(1024)), Go",
		Queue:  workerpoolbench.Bounded,
		New: func(workers int) workerpoolbench.Pool {
			p := pond.NewPool(workers, pond.WithQueueSize(1024))
			return workerpoolbench.Pool{Submit: p.Go, Close: p.StopAndWait}
		},
	},
	{
		Name:   "conc",
		Config: "pool.New().WithMaxGoroutines(workers)",
		Queue:  workerpoolbench.NoQueue,
		New: func(workers int) workerpoolbench.Pool {
			p := pool.New().WithMaxGoroutines(workers)
			return workerpoolbench.Pool{
				Submit: func(task func()) error { p.Go(task); return nil },
				Close:  p.Wait,
			}
		},
	},
	{
		Name:   "gammazero",
		Config: "New(workers), Do; its queue has no bound",
		Queue:  workerpoolbench.Unbounded,
		New: func(workers int) workerpoolbench.Pool {
			p := gammazero.New(workers)
			return workerpoolbench.Pool{Submit: p.Do, Close: p.StopWait}
		},
	},
	{
		Name:   "gopool",
		Config: "NewPool of that capacity with NewConfig; its queue has no bound",
		Queue:  workerpoolbench.Unbounded,
		New: func(workers int) workerpoolbench.Pool {
			p := gopool.NewPool("bench", int32(workers), gopool.NewConfig())
			return workerpoolbench.Pool{
				Submit: func(task func()) error { p.Go(task); return nil },
			} // it has no way to end
		},
	},
}
