package connpool

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is decided at the very edge of each limit, and which limit comes first.
func TestTheJanitorsVerdicts(t *testing.T) {
	const all = 10
	limits := janitor{minIdle: 2, minOpen: 3, maxClosing: 4, checkAfterIdle: 10, keepAlive: 20, leakAfter: 30, tick: 5}
	begin := func(change func(*janitor)) *janitor {
		j := limits
		if change != nil {
			change(&j)
		}
		j.begin(time.Time{}, all, all, 0)
		return &j
	}
	for _, tt := range []struct {
		what   string
		change func(*janitor)
		f      facts
		want   verdict
	}{
		{"young", nil, facts{unchanged: 9, unchecked: 9, idleLimit: 50}, leave},
		{"stale", nil, facts{unchanged: 10, unchecked: 10, idleLimit: 50}, distrust},
		{"checked since", nil, facts{unchanged: 19, unchecked: 9, idleLimit: 50}, leave},
		{"kept alive", nil, facts{unchanged: 20, unchecked: 20, idleLimit: 50}, refresh},
		{"idle", nil, facts{unchanged: 50, unchecked: 50, idleLimit: 50}, endIdle},
		{"not yet idle", nil, facts{unchanged: 49, unchecked: 1, idleLimit: 50}, leave},
		{"old", nil, facts{outlived: true, unchanged: 50, unchecked: 50, idleLimit: 50}, endLife},
		{"never idle for too long", nil, facts{unchanged: 1 << 60}, leave},
		{"every loan", func(j *janitor) { j.checkAfterIdle, j.keepAlive = -1, 0 }, facts{sinceSeen: 5}, distrust},
		{"every loan, checked", func(j *janitor) { j.checkAfterIdle, j.keepAlive = -1, 0 }, facts{sinceSeen: 4}, leave},
		{"no check", func(j *janitor) { j.checkAfterIdle, j.keepAlive = 0, 0 }, facts{unchanged: 1 << 60, unchecked: 1 << 60}, leave},
	} {
		require.Equal(t, tt.want, begin(tt.change).judge(tt.f), tt.what)
	}

	closes := func(j *janitor, f facts) (n int) {
		for j.judge(f) == endIdle || j.judge(f) == endLife {
			j.closed()
			n++
		}
		return n
	}
	idle, old := facts{unchanged: 50, idleLimit: 50}, facts{outlived: true}
	require.Equal(t, 4, closes(begin(nil), idle), "maxClosing")
	require.Equal(t, 4, closes(begin(nil), old), "maxClosing")
	unbounded := func(j *janitor) { j.maxClosing = -1 }
	require.Equal(t, 7, closes(begin(unbounded), idle), "down to minOpen")
	require.Equal(t, 8, closes(begin(func(j *janitor) { j.maxClosing, j.minOpen = -1, 0 }), idle), "down to minIdle")
	require.Equal(t, 10, closes(begin(unbounded), old), "a lifetime ends regardless")
	j := limits
	j.begin(time.Time{}, all, all, 3)
	require.Equal(t, 1, closes(&j, idle), "three close already")

	require.False(t, begin(nil).leaks(29))
	require.True(t, begin(nil).leaks(30))
	require.False(t, begin(func(j *janitor) { j.leakAfter = 0 }).leaks(1<<60))
}

// At most a quarter is checked at once, and one where that is none.
func TestTheJanitorRefreshesFewAtOnce(t *testing.T) {
	for open, most := range map[int]int{0: 1, 1: 1, 7: 1, 8: 2, 100: 25} {
		var j janitor
		for j.mayRefresh(open) {
			j.refreshing++
		}
		require.Equal(t, most, j.refreshing, "of %d", open)
	}
}

func TestTheJanitorNoticesThatItIsLate(t *testing.T) {
	start := time.Unix(1, 0)
	for gap, late := range map[time.Duration]bool{0: false, 5: false, 14: false, 15: true, time.Hour: true, -time.Hour: false} {
		j := janitor{checkAfterIdle: 10, tick: 5, lookedAt: start}
		require.Equal(t, late, j.begin(start.Add(gap), 1, 1, 0), gap)
		require.False(t, j.begin(start.Add(gap+5), 1, 1, 0), "the next is in time")
		j = janitor{checkAfterIdle: -1, tick: 5, lookedAt: start}
		require.False(t, j.begin(start.Add(gap), 1, 1, 0), "each loan has its check")
	}
}
