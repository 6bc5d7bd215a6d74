package workerpool_test

import (
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	FailNow()
}

// checkBooks fails t unless the books of a quiet pool balance.
func checkBooks(t tester, st workerpool.Stats) {
	t.Helper()
	require.Zero(t, st.Active, "%+v", st)
	require.Equal(t, st.Submitted, uint64(st.Queued)+st.Started+st.Dropped,
		"Submitted = Queued + Started + Dropped: %+v", st)
	require.Equal(t, st.Started, uint64(st.Active)+st.Completed+st.Failed+st.Canceled+st.Timeouts,
		"Started = Active + Completed + Failed + Canceled + Timeouts: %+v", st)
	checkSnapshot(t, st)
}

// checkSnapshot fails t unless st is consistent in itself, as it must be at any
// moment.
func checkSnapshot(t tester, st workerpool.Stats) {
	t.Helper()
	ended := st.Completed + st.Failed
	if st.Active < 0 || st.Idle < 0 || st.Queued < 0 || st.Active+st.Idle != st.Workers ||
		st.HighWater < st.Workers || st.Utilization < 0 || st.Utilization > 1 ||
		st.QueueUsage < 0 || st.QueueUsage > 1 || st.RunTime.P50 > st.RunTime.Max ||
		uint64(st.Queued)+st.Started+st.Dropped > st.Submitted ||
		ended+st.Canceled+st.Timeouts > st.Started || st.Panics+st.Goexits > st.Failed ||
		st.RunTimeouts > ended || st.CallerRan > ended {
		t.Fatalf("inconsistent snapshot: %#v", st)
	}
}
