// Package duration adds durations that may be as long as there are: users write
// math.MaxInt64 for "never".
package duration

import (
	"math"
	"time"
)

// Add returns t + d, or the longest or shortest duration there is where the sum would
// overflow. t is mostly a moment, as the time since a start; an overflow would put a
// moment that is far ahead into the past.
func Add(t, d time.Duration) time.Duration {
	switch {
	case d > 0 && t > math.MaxInt64-d:
		return math.MaxInt64
	case d < 0 && t < math.MinInt64-d:
		return math.MinInt64
	}
	return t + d
}
