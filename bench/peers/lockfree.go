package main

import (
	"runtime"

	"github.com/bytedance/gopkg/collection/lscq"
	"github.com/puzpuzpuz/xsync/v4"

	"github.com/poundlock/poundlock/internal/compare/lockfreebench"
)

// lockfreePeers are queues for many producers and many consumers. None of them can
// wait, move batches or be closed, so they are in the cases that need none of it.
var lockfreePeers = []lockfreebench.Peer{
	{Name: "lscq", Config: "bytedance/gopkg lscq.Uint64Queue", New: func() lockfreebench.Queue {
		q := lscq.NewUint64()
		return lockfreebench.Queue{
			Put: func(v int) { q.Enqueue(uint64(v)) },
			TryGet: func() (int, bool) {
				v, ok := q.Dequeue()
				return int(v), ok
			},
		}
	}},
	{Name: "xsync-mpmc", Config: "xsync.MPMCQueue of 1024", New: func() lockfreebench.Queue {
		const capacity = 1024
		q := xsync.NewMPMCQueue[int](capacity)
		return lockfreebench.Queue{
			Put: func(v int) {
				for !q.TryEnqueue(v) {
					runtime.Gosched()
				}
			},
			TryGet:   func() (int, bool) { return q.TryDequeue() },
			Capacity: capacity,
		}
	}},
}
