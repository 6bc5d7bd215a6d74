package workerpoolbench

import (
	"time"

	"github.com/panjf2000/ants/v2"
)

// antsExpiry is the expiry that ants' own benchmarks use.
const antsExpiry = 10 * time.Second

// antsPool is ants.Pool, and ants.PoolWithFuncGeneric where the case has one
// function for all tasks.
func antsPool() Peer {
	return Peer{
		Name:   nameAnts,
		Config: "Pool / PoolWithFuncGeneric as in ants' own benchmarks, expiry 10 s",
		Queue:  NoQueue,
		New: func(workers int) Pool {
			p, err := ants.NewPool(workers, ants.WithExpiryDuration(antsExpiry))
			orPanic(err)
			return Pool{Submit: p.Submit, Close: func() { p.ReleaseTimeout(antsExpiry) }}
		},
		NewFunc: func(workers int, fn func(int)) FuncPool {
			p, err := ants.NewPoolWithFuncGeneric(workers, fn, ants.WithExpiryDuration(antsExpiry))
			orPanic(err)
			return FuncPool{Invoke: p.Invoke, Close: func() { p.ReleaseTimeout(antsExpiry) }}
		},
	}
}

// antsMultiEnd bounds how long a MultiPool's end is waited for, which is no part of
// what is timed: its shards wait in a busy loop for each other's workers, 100 ms
// where 10 are enough to run all the tasks.
const antsMultiEnd = time.Millisecond

// antsMulti is ants.MultiPool: several pools, so that submitters meet less often.
func antsMulti() Peer {
	return Peer{
		Name:   "ants-multi",
		Config: "MultiPool, round robin over up to 10 shards, expiry 10 s",
		Queue:  NoQueue,
		New: func(workers int) Pool {
			shards := antsShards(workers)
			p, err := ants.NewMultiPool(shards, workers/shards, ants.RoundRobin, ants.WithExpiryDuration(antsExpiry))
			orPanic(err)
			return Pool{Submit: p.Submit, Close: func() { p.ReleaseTimeout(antsMultiEnd) }}
		},
		NewFunc: func(workers int, fn func(int)) FuncPool {
			shards := antsShards(workers)
			p, err := ants.NewMultiPoolWithFuncGeneric(shards, workers/shards, fn, ants.RoundRobin, ants.WithExpiryDuration(antsExpiry))
			orPanic(err)
			return FuncPool{Invoke: p.Invoke, Close: func() { p.ReleaseTimeout(antsMultiEnd) }}
		},
	}
}

// antsShards is the number of shards of a MultiPool with that many workers: ten,
// as in ants' own benchmarks, or as many below as divide the workers evenly.
func antsShards(workers int) int {
	shards := min(10, workers)
	for workers%shards != 0 {
		shards--
	}
	return shards
}

// orPanic ends a benchmark whose pool could not even be made.
func orPanic(err error) {
	if err != nil {
		panic(err)
	}
}
