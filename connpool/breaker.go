package connpool

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/poundlock/poundlock/internal/enum"
)

// Backoff spaces dials after failures: the k-th failure in a row is followed by a
// pause of Min × Factor^(k-1), at most Max, shortened by a random part. One pool
// has one pause for all its callers. The zero value does not pause.
//
// During the pause an Acquire that finds no connection waits; its ctx bounds that.
type Backoff struct {
	Min    time.Duration // the first pause; 0: none at all
	Max    time.Duration // the longest pause; default: 64 × Min
	Factor float64       // at least 1; default: 2
	Jitter float64       // 0..1: the largest part taken off at random; default: 0.2; negative: none
}

func (b *Backoff) validate() error {
	if b.Max != 0 && b.Max < b.Min {
		return fmt.Errorf("connpool: Backoff.Max %v is below Backoff.Min %v", b.Max, b.Min)
	}
	if b.Factor != 0 && !(b.Factor >= 1) || math.IsInf(b.Factor, 0) {
		return fmt.Errorf("connpool: Backoff.Factor %v is below 1 or not finite", b.Factor)
	}
	if !(b.Jitter <= 1) {
		return fmt.Errorf("connpool: Backoff.Jitter %v exceeds 1", b.Jitter)
	}
	return nil
}

// pause returns how long to wait after the given number of failures in a row.
func (b *Backoff) pause(failures int) time.Duration {
	if b.Min <= 0 || failures <= 0 {
		return 0
	}
	factor, jitter := b.Factor, b.Jitter
	if factor == 0 {
		factor = 2
	}
	if jitter == 0 {
		jitter = 0.2
	}
	longest := float64(b.Max)
	if b.Max == 0 {
		longest = 64 * float64(b.Min)
	}
	d := min(float64(b.Min)*math.Pow(factor, float64(failures-1)), longest, math.MaxInt64/2)
	return time.Duration(d * (1 - max(jitter, 0)*rand.Float64()))
}

// Breaker is a circuit breaker over dials. After Failures dials in a row have
// failed it opens: for OpenFor no dial is tried, and while the pool has no
// connection at all, Acquire fails at once with [ErrBreakerOpen] instead of
// waiting. Then it is half open: one dial is tried; success closes the breaker,
// failure opens it again. The zero value never opens.
type Breaker struct {
	Failures int           // failures in a row that open it; 0: it never opens
	OpenFor  time.Duration // how long it stays open; default: 1 s
}

func (b *Breaker) validate() error {
	if b.Failures < 0 {
		return fmt.Errorf("connpool: Breaker.Failures %d is negative", b.Failures)
	}
	return nil
}

// BreakerState is the state of a pool's circuit breaker.
type BreakerState uint8

// The states of a circuit breaker.
const (
	BreakerClosed BreakerState = iota
	BreakerOpen
	BreakerHalfOpen
)

var breakerStateNames = []string{"closed", "open", "half-open"}

// String returns "closed", "open" or "half-open".
func (s BreakerState) String() string { return enum.String(s, breakerStateNames) }

// MarshalText makes the state readable in JSON.
func (s BreakerState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *BreakerState) UnmarshalText(text []byte) error {
	return enum.Parse(s, text, breakerStateNames)
}
