package batchchan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimingOfOneBatch(t *testing.T) {
	var x timing
	var p span
	x.begin(&p, 10*time.Second, 12*time.Second)
	require.False(t, p.next())
	x.end(&p, 15*time.Second, nil)
	require.Equal(t, uint64(1), x.age.Latency().Count)
	require.Equal(t, 2*time.Second, x.age.Latency().Max)
	require.Equal(t, 3*time.Second, x.proc.Latency().Max)
	require.False(t, p.next(), "the next one is timed: this was not quick")
	x.begin(&p, 15*time.Second, 15*time.Second)
	x.end(&p, 15*time.Second+quickBatch-1, nil)
	require.True(t, p.next())
	p.untimed = maxUntimed
	require.False(t, p.next(), "not for ever")
}

// Batches that were begun without a look at the clock are counted, each with its age.
func TestTimingOfUntimedBatches(t *testing.T) {
	for _, c := range []struct {
		took       time.Duration
		first, max time.Duration // of the processing
	}{
		{4 * 300, 300, 300},               // all alike
		{3*quickBatch + 5000, 1000, 5000}, // one was slow, the others quick
		{time.Hour, quickBatch, time.Hour - 3*quickBatch},
	} {
		var x timing
		var p span
		start := 100 * time.Millisecond
		x.begin(&p, start, start)
		p.untimed = 3
		marks := []time.Duration{start, start - 1*time.Millisecond, start - 2*time.Millisecond, start - 3*time.Millisecond}
		x.end(&p, start+c.took, marks)
		proc, age := x.proc.Latency(), x.age.Latency()
		require.Equal(t, uint64(4), proc.Count)
		require.Equal(t, uint64(4), age.Count)
		require.Equal(t, c.max, proc.Max)
		require.InEpsilon(t, c.first, proc.P50, 0.04)
		each := min(c.took/4, quickBatch)
		require.Equal(t, 3*time.Millisecond+3*each, age.Max, "the last one's first item waited for the others")
	}
}
