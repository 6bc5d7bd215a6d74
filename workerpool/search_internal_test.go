package workerpool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The pauses of a search that loses its core: 4 ms, twice as long each time that it
// goes on soon after, at most a second, and 4 ms again after a time without a loss.
func TestSearchPausesWhereItLosesItsCore(t *testing.T) {
	us, ms := int64(time.Microsecond), int64(time.Millisecond)
	s := search{spin: 20 * us}
	now := int64(1)
	require.True(t, s.may(now))
	require.True(t, s.look(now, now, now+5*us))
	require.False(t, s.look(now, now+15*us, now+20*us), "Spin is over")
	require.True(t, s.may(now+21*us), "no loss")
	require.True(t, s.look(now, now, now+19*us))

	lose := func(at int64) {
		t.Helper()
		require.True(t, s.may(at))
		require.False(t, s.look(at, at, at+3*ms))
		now = at + 3*ms
	}
	pause := func(want int64) {
		t.Helper()
		require.False(t, s.may(now))
		require.False(t, s.may(now+want-1))
		require.True(t, s.may(now+want))
		now += want
	}
	lose(now + 100*ms)
	pause(4 * ms)
	for want := 8 * ms; want < 1000*ms; want *= 2 {
		lose(now + ms)
		pause(want)
	}
	lose(now)
	pause(1000 * ms)
	lose(now)
	pause(1000 * ms)
	lose(now + 2000*ms)
	pause(4 * ms)

	off := search{spin: -1}
	require.False(t, off.may(now))
}

func TestBudget(t *testing.T) {
	ms := int64(time.Millisecond)
	b := newBudget()
	for range 10 {
		require.True(t, b.allows(0), "saved up")
		b.spend(ms)
	}
	require.False(t, b.allows(0))
	require.False(t, b.allows(budgetShare-1))
	b.spend(ms)
	require.False(t, b.allows(budgetShare*ms))
	require.True(t, b.allows(budgetShare*ms+2*budgetShare))
	require.True(t, b.allows(1<<60), "no overflow")
	b.spend(11 * ms)
	require.False(t, b.allows(1<<60), "no more than 10 ms are saved")
}

func TestPanicLogIsBounded(t *testing.T) {
	var l panicLog
	for round := range int64(3) {
		logged, skipped := 0, 0
		for i := range int64(500) {
			n, ok := l.admit(1 + round*logEvery + i)
			if ok {
				logged++
				skipped += n
			}
		}
		require.Equal(t, logBurst, logged)
		if round > 0 {
			require.Equal(t, 500-logBurst, skipped, "of the round before")
		}
	}
}
