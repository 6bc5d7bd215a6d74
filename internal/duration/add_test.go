package duration

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The model adds without bounds and then cuts.
func TestAddNeverOverflows(t *testing.T) {
	edges := []time.Duration{
		math.MinInt64, math.MinInt64 + 1, math.MinInt64 / 2, -time.Hour, -1, 0, 1, time.Hour,
		math.MaxInt64 / 2, math.MaxInt64/2 + 1, math.MaxInt64 - 1, math.MaxInt64,
	}
	for _, a := range edges {
		for _, b := range edges {
			sum := new(big.Int).Add(big.NewInt(int64(a)), big.NewInt(int64(b)))
			want := time.Duration(math.MaxInt64)
			switch {
			case sum.IsInt64():
				want = time.Duration(sum.Int64())
			case sum.Sign() < 0:
				want = math.MinInt64
			}
			require.Equal(t, want, Add(a, b), "%d + %d", a, b)
		}
	}
}
