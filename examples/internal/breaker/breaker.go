// Package breaker is the circuit breaker of github.com/sony/gobreaker around calls of a
// service, with statistics that only grow, as metrics have to: gobreaker forgets its
// counts when it opens or closes.
package breaker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/poundlock/poundlock/connpool"
)

// ErrOpen says that a breaker lets nothing through now.
var ErrOpen = errors.New("circuit breaker is open")

// Breaker stops calls to a service that fails: after five failures in a row it is
// open for a second, then it lets one call try, whose outcome decides. connpool has
// the same over dials; this one is for services that accept connections and do not
// answer. A call that was cancelled says nothing of the service.
//
// All methods are safe for concurrent use.
type Breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	failed  func(error) bool

	calls, errors, refused, opened atomic.Uint64
}

// Stats is what observe shows of a breaker.
type Stats struct {
	Calls   uint64                `json:"calls"`   // let through
	Errors  uint64                `json:"errors"`  // of these, failed
	Refused uint64                `json:"refused"` // not let through
	Opened  uint64                `json:"opened"`  // times that it opened
	State   connpool.BreakerState `json:"state"`
}

// New returns a closed breaker. failed says which errors are the service's fault.
func New(failed func(error) bool) *Breaker {
	b := &Breaker{failed: failed}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:      time.Second,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= 5 },
		IsSuccessful: func(err error) bool { return err == nil || !failed(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.opened.Add(1)
			}
		},
	})
	return b
}

// Stats returns what the breaker did.
func (b *Breaker) Stats() Stats {
	s := Stats{Errors: b.errors.Load(), Refused: b.refused.Load(), Opened: b.opened.Load()}
	s.Calls = b.calls.Load() // after Errors, which are among them
	switch b.circuit.State() {
	case gobreaker.StateOpen:
		s.State = connpool.BreakerOpen
	case gobreaker.StateHalfOpen:
		s.State = connpool.BreakerHalfOpen
	}
	return s
}

// Do calls f, or returns ErrOpen. A panic of f is a failure. f must not call
// runtime.Goexit: gobreaker would wait for its outcome for ever.
func (b *Breaker) Do(f func() error) error {
	asked := false
	_, err := b.circuit.Execute(func() (struct{}, error) {
		asked = true
		b.calls.Add(1)
		bad := true
		defer func() {
			if bad {
				b.errors.Add(1)
			}
		}()
		err := f()
		bad = err != nil && !errors.Is(err, context.Canceled) && b.failed(err)
		return struct{}{}, err
	})
	if !asked {
		b.refused.Add(1)
		return ErrOpen
	}
	return err
}
