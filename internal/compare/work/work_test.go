package work

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The machine may be twice as fast, or half, between the calibration and the look at
// it: once in many trials it is not.
func TestMicrosecondOfWorkTakesOne(t *testing.T) {
	off := math.Inf(1)
	for range 20 {
		steps, best := calibrate()*100, time.Hour
		for range 100 {
			start := time.Now()
			Keep(Spin(steps))
			best = min(best, time.Since(start))
		}
		if off = math.Abs(float64(best)/float64(100*time.Microsecond) - 1); off < 0.25 {
			return
		}
	}
	require.Less(t, off, 0.25)
}
