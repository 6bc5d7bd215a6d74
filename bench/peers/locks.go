package main

import (
	"testing"

	"github.com/moby/locker"
	"github.com/puzpuzpuz/xsync/v4"
	"github.com/sasha-s/go-deadlock"

	"github.com/poundlock/poundlock/internal/compare/locksbench"
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
		Name:   "go-deadlock",
		Config: "deadlock.RWMutex as it comes: order of locks and waits of 30 s watched",
		RW: func(b *testing.B, m *locksbench.Mix) {
			var s struct {
				_    [128]byte
				mu   deadlock.RWMutex
				data uint64
				_    [128]byte
			}
			m.Run(b, func(pb *testing.PB, op *locksbench.Op) {
				for pb.Next() {
					if op.Write() {
						s.mu.Lock()
						op.Wrote(&s.data)
						s.mu.Unlock()
					} else {
						s.mu.RLock()
						op.Saw(&s.data)
						s.mu.RUnlock()
					}
				}
			})
			m.Check(b, s.data)
		},
		Alone: func(b *testing.B) {
			var mu deadlock.RWMutex
			for range b.N {
				mu.RLock()
				mu.RUnlock() //lint:ignore SA2001 the empty section is the subject
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
