package main

import (
	"testing"

	"github.com/moby/locker"
	"github.com/puzpuzpuz/xsync/v4"

	"github.com/poundlock/poundlock/bench/internal/locksbench"
)

// lockPeers are the locks that package locks is compared with beside those of the
// standard library.
var lockPeers = []locksbench.Peer{
	{
		Name:   "RBMutex",
		Config: "xsync.NewRBMutex",
		RW: func(b *testing.B, m *locksbench.Mix) {
			mu := xsync.NewRBMutex()
			var data uint64
			m.Run(b, func(pb *testing.PB, op *locksbench.Op) {
				for pb.Next() {
					if op.Write() {
						mu.Lock()
						op.Wrote(&data)
						mu.Unlock()
					} else {
						t := mu.RLock()
						op.Saw(&data)
						mu.RUnlock(t)
					}
				}
			})
			m.Check(b, data)
		},
		Alone: func(b *testing.B) {
			mu := xsync.NewRBMutex()
			for range b.N {
				t := mu.RLock()
				mu.RUnlock(t)
			}
		},
	},
	{
		Name:   "moby-locker",
		Config: "locker.New",
		Keyed: func(b *testing.B, m *locksbench.KeyedMix) {
			l := locker.New()
			m.Run(b, func(pb *testing.PB, op *locksbench.Op, pick func(*locksbench.Op) *locksbench.Key) {
				for pb.Next() {
					op.Write()
					k := pick(op)
					l.Lock(k.Name)
					k.Count(op)
					if err := l.Unlock(k.Name); err != nil {
						panic(err)
					}
				}
			})
		},
	},
}
