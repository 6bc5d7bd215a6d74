package jetstream

import (
	"context"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// A message of which the server has not heard for AckWait is started, acknowledged
// and handed back by nobody here, at whatever point the process was frozen.
func TestWhatOthersMayHaveIsLeftAlone(t *testing.T) {
	const wait = time.Second
	base := time.Now()
	for name, frozen := range map[string]func(l *ledger, h *held, late time.Time) (told bool){
		"before it is started": func(l *ledger, h *held, late time.Time) bool { return l.start(h, nil, late) },
		"while it runs, and succeeds": func(l *ledger, h *held, late time.Time) bool {
			require.True(t, l.start(h, nil, base))
			return l.succeed(h, late)
		},
		"while it runs, and fails": func(l *ledger, h *held, late time.Time) bool {
			require.True(t, l.start(h, nil, base))
			return l.finish(h, endFailed, late)
		},
		"before it is acknowledged": func(l *ledger, h *held, late time.Time) bool {
			require.True(t, l.start(h, nil, base))
			require.True(t, l.succeed(h, base))
			return len(l.acking([]*held{h}, late)) > 0
		},
		"before Shutdown":    func(l *ledger, _ *held, late time.Time) bool { return len(l.close(late)) > 0 },
		"before a heartbeat": func(l *ledger, _ *held, late time.Time) bool { return len(l.beat(late)) > 0 },
	} {
		for _, late := range []bool{false, true} {
			l := newLedger(1, wait, 0)
			l.slots <- struct{}{}
			h := &held{d: &Delivery{Delivered: 1}}
			require.True(t, l.add(h, base, base))
			at := base.Add(wait - 1)
			if late {
				at = base.Add(wait)
			}
			require.Equal(t, !late, frozen(l, h, at), "%s, late %v", name, late)
			lost := uint64(0)
			if late {
				lost = 1
			}
			require.Equal(t, lost, l.stats().Lost, name)
			if late {
				require.Empty(t, l.slots, name)
				require.Zero(t, l.abandonAll(), name)
			}
		}
	}
}

// So is what was to be handed back, and was kept for too long.
func TestWhatIsHandedBackTooLateIsLeftAlone(t *testing.T) {
	base := time.Now()
	l := newLedger(2, time.Second, 0)
	for range 2 {
		l.slots <- struct{}{}
	}
	old, young := &held{d: &Delivery{}}, &held{d: &Delivery{}}
	require.True(t, l.add(old, base, base))
	require.True(t, l.add(young, base.Add(1), base.Add(1)))
	back := l.close(base)
	require.Len(t, back, 2)
	require.Len(t, l.young(slices.Clone(back), base.Add(time.Second-1)), 2)
	require.Equal(t, []*held{young}, l.young(back, base.Add(time.Second)))
}

func (l *ledger) abandonAll() int {
	running, unacked := l.abandon()
	return running + unacked
}

// The server's patience runs from when it sent a message, which may have been as soon as
// it was asked, and not from when the message came.
func TestAMessageIsAsOldAsItsRequest(t *testing.T) {
	base := time.Now()
	l := newLedger(1, time.Second, 0)
	l.slots <- struct{}{}
	h := &held{d: &Delivery{Delivered: 1}}
	require.True(t, l.add(h, base, base.Add(600*time.Millisecond)))
	require.False(t, l.start(h, nil, base.Add(time.Second)))
	require.EqualValues(t, 1, l.stats().Lost)
}

// On a machine that slept the clock for durations stood still and the one on the wall went
// on. Of one whose wall clock was put back it is the other way round. Neither hides that a
// message is lost.
func TestClocksThatDisagree(t *testing.T) {
	// moved returns a time with its clock on the wall moved and the other one not, which
	// package time offers no way to make.
	moved := func(at time.Time, seconds int64) time.Time {
		raw := (*struct { // time.Time, with a reading of both clocks
			wall uint64 // a bit, 33 bits of seconds, 30 of nanoseconds
			ext  int64
			loc  *time.Location
		})(unsafe.Pointer(&at))
		raw.wall += uint64(seconds) << 30
		return at
	}
	from := time.Now()
	slept := moved(from, 10)
	require.Equal(t, []time.Duration{0, 10 * time.Second}, []time.Duration{slept.Sub(from), slept.Round(0).Sub(from.Round(0))})
	require.Equal(t, 10*time.Second, passed(from, slept))
	require.Equal(t, time.Second, passed(from, moved(from.Add(time.Second), -60)))
}

func TestDefaultBackoff(t *testing.T) {
	cfg := Config{Conn: new(nats.Conn), Stream: "S", Consumer: "c", Handle: func(context.Context, *Delivery) error { return nil }}
	require.NoError(t, cfg.check())
	for n, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1000: time.Minute,
	} {
		require.Equal(t, want, cfg.Backoff(n), n)
	}
}

// The wait is from a message's arrival to its handler's call, the run time from there to the
// handler's return. What was not called has neither.
func TestWaitAndRunTime(t *testing.T) {
	base := time.Now()
	at := func(seconds int) time.Time { return base.Add(time.Duration(seconds) * time.Second) }
	l := newLedger(3, time.Minute, 0)
	var hs []*held
	for range 3 {
		l.slots <- struct{}{}
		h := &held{d: &Delivery{Delivered: 1}}
		require.True(t, l.add(h, base, at(5)))
		hs = append(hs, h)
	}
	require.True(t, l.start(hs[0], func(error) {}, at(7)))
	require.True(t, l.succeed(hs[0], at(17)))
	l.confirm(hs[0], endAcked)
	require.True(t, l.start(hs[1], func(error) {}, at(8)))
	require.True(t, l.finish(hs[1], endFailed, at(28)))
	require.Len(t, l.close(at(30)), 1)
	s := l.stats()
	for name, want := range map[string]struct {
		got           Latency
		mean, longest time.Duration
	}{
		"wait":     {s.Wait, 2500 * time.Millisecond, 3 * time.Second},
		"run time": {s.RunTime, 15 * time.Second, 20 * time.Second},
	} {
		require.EqualValues(t, 2, want.got.Count, name)
		require.InEpsilon(t, want.mean, want.got.Mean, 0.02, name)
		require.InEpsilon(t, want.longest, want.got.Max, 0.02, name)
	}
}

// A handler that has a lost message is told, and keeps its place until it returns.
func TestALostHandlerIsCancelled(t *testing.T) {
	base := time.Now()
	l := newLedger(1, time.Second, 0)
	l.slots <- struct{}{}
	h := &held{d: &Delivery{Delivered: 2}}
	require.True(t, l.add(h, base, base))
	var cause error
	require.True(t, l.start(h, func(err error) { cause = err }, base))
	l.beaten(l.beat(base.Add(900*time.Millisecond)), base.Add(900*time.Millisecond))
	require.Len(t, l.beat(base.Add(1800*time.Millisecond)), 1, "the heartbeat counts")
	require.NoError(t, cause)
	require.Empty(t, l.beat(base.Add(1900*time.Millisecond)))
	require.ErrorIs(t, cause, ErrLost)
	require.Len(t, l.slots, 1)
	require.False(t, l.finish(h, endFailed, base.Add(1900*time.Millisecond)))
	require.False(t, l.finish(h, endFailed, base.Add(1900*time.Millisecond)), "settled once")
	require.Empty(t, l.slots)
	s := l.stats()
	require.Equal(t, []uint64{1, 1, 1, 0}, []uint64{s.Fetched, s.Redelivered, s.Lost, s.Failed})
}

// A handler that hangs past its TaskTimeout no longer keeps its message.
func TestNoHeartbeatsAfterTheTaskTimeout(t *testing.T) {
	base := time.Now()
	l := newLedger(1, time.Minute, time.Second)
	l.slots <- struct{}{}
	h := &held{d: &Delivery{Delivered: 1}}
	require.True(t, l.add(h, base, base))
	require.Len(t, l.beat(base.Add(2*time.Second)), 1, "it waits")
	require.True(t, l.start(h, func(error) {}, base.Add(2*time.Second)))
	require.Len(t, l.beat(base.Add(2900*time.Millisecond)), 1)
	require.Empty(t, l.beat(base.Add(3*time.Second)))
}

func TestSubjectsThatAFilterMatches(t *testing.T) {
	for _, c := range []struct {
		filter, subject string
		want            bool
	}{
		{"a.b", "a.b", true},
		{"a.b", "a.c", false},
		{"a.b", "a", false},
		{"a", "a.b", false},
		{"a.*", "a.b", true},
		{"a.*", "a", false},
		{"a.*", "a.b.c", false},
		{"a.>", "a.b.c", true},
		{"a.>", "a", false},
		{">", "a", true},
		{"*.b", "a.b", true},
	} {
		require.Equal(t, c.want, matches(c.filter, c.subject), "%s %s", c.filter, c.subject)
	}
}
