package locksbench

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/poundlock/poundlock/locks"
)

// antsSpin is the algorithm of ants' internal spin lock, which cannot be
// imported: a waiter yields 1, 2, 4, … 16 times between its tries.
type antsSpin struct{ held atomic.Uint32 }

func (l *antsSpin) Lock() {
	for yields := 1; !l.held.CompareAndSwap(0, 1); {
		for range yields {
			runtime.Gosched()
		}
		if yields < 16 {
			yields *= 2
		}
	}
}

func (l *antsSpin) Unlock() { l.held.Store(0) }

func spinPoundlock(b *testing.B, m *Mix) {
	s := new(padded[locks.SpinMutex])
	m.Run(b, func(pb *testing.PB, op *Op) {
		for pb.Next() {
			op.Write()
			s.lock.Lock()
			op.Wrote(&s.data)
			s.lock.Unlock()
		}
	})
	m.Check(b, s.data)
	if st := s.lock.Stats(); st.Acquired != uint64(b.N) {
		b.Fatalf("counted %d of %d", st.Acquired, b.N)
	}
}

func spinSync(b *testing.B, m *Mix) {
	s := new(padded[sync.Mutex])
	m.Run(b, func(pb *testing.PB, op *Op) {
		for pb.Next() {
			op.Write()
			s.lock.Lock()
			op.Wrote(&s.data)
			s.lock.Unlock()
		}
	})
	m.Check(b, s.data)
}

func spinAnts(b *testing.B, m *Mix) {
	s := new(padded[antsSpin])
	m.Run(b, func(pb *testing.PB, op *Op) {
		for pb.Next() {
			op.Write()
			s.lock.Lock()
			op.Wrote(&s.data)
			s.lock.Unlock()
		}
	})
	m.Check(b, s.data)
}

func spinAlonePoundlock(b *testing.B) {
	s := new(padded[locks.SpinMutex])
	for range b.N {
		s.lock.Lock()
		s.lock.Unlock()
	}
	if st := s.lock.Stats(); st.Acquired != uint64(b.N) {
		b.Fatalf("counted %d of %d", st.Acquired, b.N)
	}
}

func spinAloneSync(b *testing.B) {
	s := new(padded[sync.Mutex])
	for range b.N {
		s.lock.Lock()
		s.lock.Unlock()
	}
}

func spinAloneAnts(b *testing.B) {
	s := new(padded[antsSpin])
	for range b.N {
		s.lock.Lock()
		s.lock.Unlock()
	}
}
