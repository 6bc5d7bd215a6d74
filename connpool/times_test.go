package connpool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The distributions are sampled, but count for what they stand for, and the sum is exact.
func TestTimes(t *testing.T) {
	ts := times{latencies: new(latencies)}
	const n = timeAll + 10*timeOneIn
	for nth := range uint64(n) {
		ts.waited(nth+1, time.Second)
	}
	for nth := uint64(1); nth <= 3*timedOneIn+1; nth += timedOneIn {
		ts.used(nth, time.Minute)
	}
	ts.dial.Record(time.Hour)
	var s Stats
	ts.fill(&s)
	require.EqualValues(t, n*time.Second, ts.waitTotal.Load())
	require.EqualValues(t, n, s.WaitTime.Count)
	require.Equal(t, time.Second, s.WaitTime.Max)
	require.EqualValues(t, 1+3*timedOneIn, s.UseTime.Count, "the first counts for itself, the others for those between")
	require.Equal(t, time.Minute, s.UseTime.Max)
	require.EqualValues(t, 1, s.DialTime.Count)

	ts = times{latencies: new(latencies)}
	ts.waited(timeAll+1, time.Second)
	ts.waited(timeAll+timeOneIn, 2*time.Second)
	require.EqualValues(t, 3*time.Second, ts.waitTotal.Load(), "all")
	ts.fill(&s)
	require.EqualValues(t, timeOneIn, s.WaitTime.Count)
	require.Equal(t, 2*time.Second, s.WaitTime.Max)
	require.InEpsilon(t, 2*time.Second, s.WaitTime.Mean, 0.04, "one in timeOneIn")
	var names []string
	for name := range ts.all() {
		names = append(names, name)
	}
	require.Equal(t, []string{"wait_time", "dial_time", "use_time"}, names)
}
