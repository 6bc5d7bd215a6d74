// Package breaker is a circuit breaker around calls of a service.
package breaker

import (
	"errors"
	"sync"
	"time"

	"github.com/poundlock/poundlock/connpool"
)

// ErrOpen says that a breaker lets nothing through now.
var ErrOpen = errors.New("circuit breaker is open")

// Breaker stops calls to a service that fails: after some failures in a row it is
// open for a while, then it lets one call try, whose outcome decides. connpool has
// the same over dials; this one is for services that accept connections and do not
// answer.
//
// All methods are safe for concurrent use.
type Breaker struct {
	Failures int           // in a row that open it, 1 or more
	OpenFor  time.Duration // how long it stays open

	mu     sync.Mutex // guards all below
	row    int        // failures in a row
	until  time.Time  // when an open one lets a call try
	trying bool       // that call is under way
	stats  Stats
}

// Stats is what observe shows of a breaker.
type Stats struct {
	Calls   uint64                `json:"calls"`   // let through
	Errors  uint64                `json:"errors"`  // of these, failed
	Refused uint64                `json:"refused"` // not let through
	Opened  uint64                `json:"opened"`  // times that it opened
	State   connpool.BreakerState `json:"state"`
}

// Stats returns what the breaker did.
func (b *Breaker) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	switch {
	case b.row < b.Failures:
		s.State = connpool.BreakerClosed
	case b.trying || !time.Now().Before(b.until):
		s.State = connpool.BreakerHalfOpen
	default:
		s.State = connpool.BreakerOpen
	}
	return s
}

// Do calls f, or returns ErrOpen. failed says which errors are the service's fault.
func (b *Breaker) Do(f func() error, failed func(error) bool) error {
	if !b.allow() {
		return ErrOpen
	}
	bad := true // a panic is a failure
	defer func() { b.done(bad) }()
	err := f()
	bad = err != nil && failed(err)
	return err
}

func (b *Breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.row >= b.Failures {
		if b.trying || time.Now().Before(b.until) {
			b.stats.Refused++
			return false
		}
		b.trying = true
	}
	b.stats.Calls++
	return true
}

func (b *Breaker) done(bad bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	if !bad {
		b.row = 0
		return
	}
	b.stats.Errors++
	b.row++
	if b.row >= b.Failures {
		b.stats.Opened++
		b.until = time.Now().Add(b.OpenFor)
	}
}
