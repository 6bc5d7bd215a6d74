package locksbench

import (
	"sync"
	"testing"

	"github.com/poundlock/poundlock/locks"
)

func mixPoundlock(b *testing.B, m *Mix) {
	s := new(padded[locks.RWMutex])
	m.Run(b, func(pb *testing.PB, op *Op) {
		for pb.Next() {
			if op.Write() {
				s.lock.Lock()
				op.Wrote(&s.data)
				s.lock.Unlock()
			} else {
				s.lock.RLock()
				op.Saw(&s.data)
				s.lock.RUnlock()
			}
		}
	})
	m.Check(b, s.data)
	st := s.lock.Stats()
	if st.Reads+st.Writes != uint64(b.N) || st.Writes != s.data {
		b.Fatalf("counted %d reads and %d writes of %d ops", st.Reads, st.Writes, b.N)
	}
}

func mixSync(b *testing.B, m *Mix) {
	s := new(padded[sync.RWMutex])
	m.Run(b, func(pb *testing.PB, op *Op) {
		for pb.Next() {
			if op.Write() {
				s.lock.Lock()
				op.Wrote(&s.data)
				s.lock.Unlock()
			} else {
				s.lock.RLock()
				op.Saw(&s.data)
				s.lock.RUnlock()
			}
		}
	})
	m.Check(b, s.data)
}

// mixMutex is what a sync.Mutex makes of the same: readers exclude each other.
func mixMutex(b *testing.B, m *Mix) {
	s := new(padded[sync.Mutex])
	m.Run(b, func(pb *testing.PB, op *Op) {
		for pb.Next() {
			s.lock.Lock()
			if op.Write() {
				op.Wrote(&s.data)
			} else {
				op.Saw(&s.data)
			}
			s.lock.Unlock()
		}
	})
	m.Check(b, s.data)
}

// mixFloor takes no lock; it is right only without writes.
func mixFloor(b *testing.B, m *Mix) {
	s := new(padded[struct{}])
	m.Run(b, func(pb *testing.PB, op *Op) {
		for pb.Next() {
			if !op.Write() {
				op.Saw(&s.data)
			}
		}
	})
	m.Check(b, s.data)
}

func readPoundlock(b *testing.B) {
	s := new(padded[locks.RWMutex])
	for range b.N {
		s.lock.RLock()
		s.lock.RUnlock()
	}
	if st := s.lock.Stats(); st.Reads != uint64(b.N) {
		b.Fatalf("counted %d of %d reads", st.Reads, b.N)
	}
}

func readSync(b *testing.B) {
	s := new(padded[sync.RWMutex])
	for range b.N {
		s.lock.RLock()
		s.lock.RUnlock()
	}
}

func writePoundlock(b *testing.B) {
	s := new(padded[locks.RWMutex])
	for range b.N {
		s.lock.Lock()
		s.lock.Unlock()
	}
	if st := s.lock.Stats(); st.Writes != uint64(b.N) {
		b.Fatalf("counted %d of %d writes", st.Writes, b.N)
	}
}

func writeSync(b *testing.B) {
	s := new(padded[sync.RWMutex])
	for range b.N {
		s.lock.Lock()
		s.lock.Unlock()
	}
}
