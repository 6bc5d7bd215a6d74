package locks

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSampledSumsDoNotOverflow: one sample may stand for any number of waits.
func TestSampledSumsDoNotOverflow(t *testing.T) {
	var s site
	s.add(3, time.Second)
	require.Equal(t, site{samples: 1, scale: 3, total: 3 * time.Second, max: time.Second}, s)
	s.add(math.MaxInt64, time.Hour)
	require.EqualValues(t, int64(math.MaxInt64), s.total)
	s.add(math.MaxInt64, time.Hour)
	s.add(math.MaxInt64, time.Hour)
	require.EqualValues(t, int64(math.MaxInt64), s.total)
	require.EqualValues(t, uint64(math.MaxUint64), s.scale)
	s.add(1, -1)
	require.Equal(t, time.Hour, s.max)
}
