package workerpool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Longest first, also where two differ by more than 32 bits hold; a task is new once; one
// that has ended is none.
func TestStalled(t *testing.T) {
	at := func(since time.Duration) *running {
		return &running{task: &taskCore{label: since.String()}, since: int64(since)}
	}
	now := int64(24 * time.Hour)
	rs := []*running{at(23 * time.Hour), at(0), {}, at(24*time.Hour - 1), at(24*time.Hour - 5), at(10 * time.Hour)}
	var labels []string
	for _, s := range stalled(rs, now, 5) {
		require.True(t, s.New)
		labels = append(labels, s.Label)
	}
	require.Equal(t, []string{"0s", "10h0m0s", "23h0m0s", "23h59m59.999999995s"}, labels)
	again := stalled(rs, now+4, 5)
	require.Len(t, again, 5)
	require.Equal(t, 24*time.Hour+4, again[0].Running)
	for i, s := range again {
		require.Equal(t, i == 4, s.New, "%+v", s)
	}
}
