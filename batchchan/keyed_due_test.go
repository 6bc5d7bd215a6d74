package batchchan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A worker has looked at the clock before the alarm made a key ready: the batch was cut by
// its age all the same.
func TestReasonOfAKeyThatBecameReadyMeanwhile(t *testing.T) {
	var c keyedCore[int, int]
	c.init(&Config[int]{MaxBatch: 9, MaxPending: 9, Workers: 1, Linger: time.Hour}, 0, 0)
	defer c.alarm.stop()
	c.alarm.ring = func() {}
	var e effects[keyedItem[int, int]]
	ok, err := c.trySend(1, 1, 0, &e)
	require.NoError(t, err)
	require.True(t, ok)
	before := c.clock.now()
	c.promote(before+time.Hour, &e)
	c.take(&keyWork[int, int]{}, before)
	require.EqualValues(t, 1, c.n.reasons[ByLinger])
	require.Zero(t, c.n.reasons[BySize])
}
