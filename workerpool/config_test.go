package workerpool_test

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestBadConfigs(t *testing.T) {
	for _, c := range []struct {
		cfg  workerpool.Config
		want string
	}{
		{workerpool.Config{MinWorkers: -1}, "MinWorkers -1 is negative"},
		{workerpool.Config{MinWorkers: math.MinInt}, "MinWorkers -9223372036854775808 is negative"},
		{workerpool.Config{MaxWorkers: -1}, "MaxWorkers -1 is negative"},
		{workerpool.Config{MinWorkers: 8, MaxWorkers: 4}, "MinWorkers 8 exceeds MaxWorkers 4"},
		{workerpool.Config{MaxWorkers: 1 << 20}, "MaxWorkers 1048576 exceeds 1048575"},
		{workerpool.Config{MinWorkers: 1 << 20}, "MaxWorkers 1048576 exceeds 1048575"},
		{workerpool.Config{QueueSize: -2}, "QueueSize -2 is negative and not NoQueue"},
		{workerpool.Config{QueueSize: 1<<26 + 1}, "QueueSize 67108865 exceeds 67108864 and is not Unbounded"},
		{workerpool.Config{Overflow: -1}, "Overflow -1 is not one of the policies"},
		{workerpool.Config{Overflow: 5}, "Overflow 5 is not one of the policies"},
		{workerpool.Config{MaxWaiters: -1}, "MaxWaiters -1 is negative"},
		{workerpool.Config{Overflow: workerpool.DropOldest, QueueSize: workerpool.NoQueue}, "Overflow DropOldest needs a queue, but QueueSize is NoQueue"},
		{workerpool.Config{Spin: time.Second + 1}, "Spin 1.000000001s exceeds 1s"},
		{workerpool.Config{Priorities: -1}, "Priorities -1 is not in 0..64"},
		{workerpool.Config{Priorities: 65}, "Priorities 65 is not in 0..64"},
		{workerpool.Config{Priorities: 2, QueueSize: workerpool.NoQueue}, "Priorities 2 needs a queue, but QueueSize is NoQueue"},
		{workerpool.Config{Timing: -1}, "Timing -1 is not a Timing"},
		{workerpool.Config{Timing: 3}, "Timing 3 is not a Timing"},
		{workerpool.Config{TaskTimeout: -time.Second}, "TaskTimeout -1s is negative"},
		{workerpool.Config{Monitor: &workerpool.Monitor{Interval: -1}}, "Monitor.Interval -1ns is below 1ms"},
		{workerpool.Config{Monitor: &workerpool.Monitor{Interval: 999 * time.Microsecond}}, "Monitor.Interval 999µs is below 1ms"},
		{workerpool.Config{Monitor: &workerpool.Monitor{StallAfter: -1}}, "Monitor.StallAfter -1ns is negative"},
	} {
		if math.MaxInt == math.MaxInt32 && c.cfg.MinWorkers == math.MinInt {
			continue
		}
		p, err := workerpool.New(c.cfg)
		require.Nil(t, p)
		require.EqualError(t, err, "workerpool: "+c.want)
		f, err := workerpool.NewFunc(c.cfg, func(int) {})
		require.Nil(t, f)
		require.EqualError(t, err, "workerpool: "+c.want)
	}
	_, err := workerpool.NewFunc[int](workerpool.Config{}, nil)
	require.EqualError(t, err, "workerpool: NewFunc: function is nil")
}

func TestBadResizes(t *testing.T) {
	p := newPool(t, workerpool.Config{MinWorkers: 1, MaxWorkers: 2})
	for _, c := range []struct {
		lo, hi int
		want   string
	}{
		{-1, 2, "MinWorkers -1 is negative"},
		{0, 0, "MaxWorkers 0 is below 1"},
		{0, -5, "MaxWorkers -5 is below 1"},
		{3, 2, "MinWorkers 3 exceeds MaxWorkers 2"},
		{0, 1 << 20, "MaxWorkers 1048576 exceeds 1048575"},
	} {
		require.EqualError(t, p.Resize(c.lo, c.hi), "workerpool: "+c.want)
	}
	st := p.Stats()
	require.Equal(t, [2]int{1, 2}, [2]int{st.MinWorkers, st.MaxWorkers}, "unchanged")
	require.Equal(t, 1, st.Workers)
}

func TestDefaults(t *testing.T) {
	onProcs(t, 2)
	st := newPool(t, workerpool.Config{}).Stats()
	require.Equal(t, 8, st.MaxWorkers)
	require.Equal(t, 1024, st.QueueCap)
	require.Zero(t, st.Workers+st.MinWorkers)
	runtime.GOMAXPROCS(4)
	require.Equal(t, 16, newPool(t, workerpool.Config{}).Stats().MaxWorkers)
	require.Equal(t, 20, newPool(t, workerpool.Config{MinWorkers: 20}).Stats().MaxWorkers)
	require.Equal(t, 3*7, newPool(t, workerpool.Config{QueueSize: 7, Priorities: 3}).Stats().QueueCap)
}

// New either names field and value or gives a pool that works; it never panics.
func FuzzConfig(f *testing.F) {
	f.Add(0, 0, 0, 0, int64(0), int64(0), 0, 0, int64(0), int64(0), int64(0))
	f.Add(-1, 1<<20, -2, 4, int64(-1), int64(-1), 65, 3, int64(-1), int64(-1), int64(-1))
	f.Add(2, 3, -1, 2, int64(1), int64(1), 1, 2, int64(1), int64(1e6), int64(1))
	f.Fuzz(func(t *testing.T, lo, hi, size, overflow int, idle, spin int64, prio, timing int, timeout, interval, stall int64) {
		if lo > 100 && lo < 1<<20 || size > 1000 && size <= 1<<26 {
			t.Skip("valid, but dear")
		}
		ran := make(chan struct{}, 8)
		p, err := workerpool.New(workerpool.Config{
			MinWorkers: lo, MaxWorkers: hi, QueueSize: size, Overflow: workerpool.Overflow(overflow),
			IdleTimeout: time.Duration(idle), Spin: time.Duration(spin), Priorities: prio,
			Timing: workerpool.Timing(timing), TaskTimeout: time.Duration(timeout),
			Monitor: &workerpool.Monitor{Interval: time.Duration(interval), StallAfter: time.Duration(stall)},
		})
		if err != nil {
			require.Regexp(t, `^workerpool: [A-Z][A-Za-z.]+ \S+ `, err.Error())
			require.Nil(t, p)
			return
		}
		for range 3 {
			if err := p.SubmitContext(bg, func() { ran <- struct{}{} }); err != nil {
				t.Error(err)
			}
		}
		closeAndCheck(t, p)
		require.Len(t, ran, 3)
	})
}
