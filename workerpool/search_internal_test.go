package workerpool

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A search that loses its core pauses for 128 times as long, at most for a second.
func TestSearchPausesWhereItLosesItsCore(t *testing.T) {
	us, ms := int64(time.Microsecond), int64(time.Millisecond)
	s := search{spin: 20 * us}
	now := int64(1)
	require.True(t, s.may(now))
	require.True(t, s.look(now, now+5*us))
	require.True(t, s.look(now, now+lostCore-1))
	require.True(t, s.may(now+lostCore), "no loss")
	for _, lost := range []int64{lostCore, ms, 3 * ms, 20 * ms, 1000 * ms} {
		require.False(t, s.look(now, now+lost))
		now += lost
		pause := min(lost*lossShare, maxPause)
		require.False(t, s.may(now))
		require.False(t, s.may(now+pause-1))
		require.True(t, s.may(now+pause))
		now += pause
	}
	off := search{spin: -1}
	require.False(t, off.may(now))
}

// A search ends after Spin. It notices a loss also where a task has come meanwhile,
// which is the usual case: then it looks at the queue before it looks at the clock.
func TestSearchNoticesALossInWhichATaskCame(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	p, err := New(Config{MaxWorkers: 1, Spin: time.Second})
	require.NoError(t, err)
	c, end := p.c, make(chan struct{})
	require.NoError(t, p.Pause(t.Context())) // this goroutine is the searcher
	for lost := range 2 {
		c.search.until.Store(0)
		go func() { // takes the only P when the search yields
			for start := time.Now(); lost > 0 && time.Since(start) < 2*time.Duration(lostCore); {
			}
			c.desk.q.levels[0].ring.unhold()
			c.desk.q.levels[0].ring.put(plain(func() {}), 0, &c.clock, true)
			end <- struct{}{}
		}()
		start := c.clock.now()
		require.True(t, c.lookAround(start))
		<-end
		if lost > 0 {
			require.False(t, c.search.may(c.clock.now()), "it goes on searching")
		}
		_, _, ok := c.desk.q.levels[0].ring.take()
		require.True(t, ok)
	}
	c.search.spin = int64(20 * time.Microsecond)
	require.False(t, c.lookAround(c.clock.now()), "Spin is over")
	p.Resume()
	require.NoError(t, p.Close())
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

// A queue that is filled faster than a task in two microseconds hides a loss, at any length of it.
func TestAFloodIsNoLoss(t *testing.T) {
	for _, c := range []struct {
		tasks uint64
		lost  time.Duration
		want  bool
	}{
		{0, lostCoreTime, false},
		{10, lostCoreTime, false}, // 50 000 a second
		{40, lostCoreTime, false}, // 200 000 a second
		{100, lostCoreTime, false},
		{101, lostCoreTime, true},
		{1500, 3 * time.Millisecond, false},
		{30_000, 3 * time.Millisecond, true},
	} {
		require.Equal(t, c.want, flooded(c.tasks, int64(c.lost)), "%d in %v", c.tasks, c.lost)
	}
}

const lostCoreTime = time.Duration(lostCore)
