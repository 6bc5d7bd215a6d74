package main

import "sync"

// fate is what is known of a span; several of it may be true.
type fate uint8

const (
	sent fate = 1 << iota
	received
	handedBack
)

// ledger keeps the fate of each span by its ID. A nil ledger keeps nothing.
type ledger struct {
	mu   sync.Mutex
	fate map[[8]byte]fate
}

func newLedger() *ledger { return &ledger{fate: map[[8]byte]fate{}} }

func (l *ledger) note(id [8]byte, f fate) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fate[id] |= f
}

// count returns of how many spans all of f is true, and nothing of not.
func (l *ledger) count(f, not fate) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, is := range l.fate {
		if is&f == f && is&not == 0 {
			n++
		}
	}
	return n
}

// lost returns how many spans were sent and neither arrived nor came back.
func (l *ledger) lost() int { return l.count(sent, received|handedBack) }
