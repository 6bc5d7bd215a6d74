package connpool

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// lodger is a pool as the limiter sees one, without connections. It is for one goroutine.
type lodger struct {
	share
	wants   int             // callers that wait
	lent    int             // connections out
	ready   []time.Duration // idle connections: since when
	closing int
	slow    bool // a close takes until closed is called
	counted func()
}

func newLodger(l *limiter) *lodger {
	d := new(lodger)
	d.share.limit, d.share.pool, d.share.gate, d.share.idle = l, d, new(gate), d
	d.share.name = func() string { return "" }
	return d
}

func (d *lodger) count(uint64) int {
	n := len(d.ready)
	if d.counted != nil {
		d.counted()
	}
	return n
}

func (d *lodger) poke() {
	for ; d.wants > 0; d.wants-- {
		if n := len(d.ready); n > 0 {
			d.ready = d.ready[:n-1]
		} else if !d.take(true) {
			break
		}
		d.lent++
	}
	d.lack(d.wants > 0)
	d.settle(d.takeDues())
}

func (d *lodger) evictIdle(_ Reason, age time.Duration) bool {
	if len(d.ready) == 0 || d.limit.now()-d.ready[0] < age {
		return false
	}
	d.ready = d.ready[1:]
	d.closing++
	if !d.slow {
		d.closed()
	}
	return true
}

func (d *lodger) closed() {
	d.closing--
	d.free(true)
	d.settle(d.takeDues())
}

// back ends a loan, of a connection that is as old.
func (d *lodger) back(age time.Duration) {
	d.lent--
	if d.gate.Load()&gateShort != 0 && d.limit.yields(&d.share, age, d.wants > 0) {
		d.closing++
		d.closed()
		return
	}
	d.ready = append(d.ready, d.limit.now())
	d.poke()
}

// pass lets time go by in a bubble, and makes the calls of the limiter's timer here.
func pass(l *limiter, d time.Duration) {
	for end := l.now() + d; ; {
		if l.timer == nil || l.timerAt > end {
			time.Sleep(end - l.now())
			return
		}
		l.timer.Stop()
		time.Sleep(l.timerAt - l.now())
		l.tick()
	}
}

// Any order of events: the limiter's books are right, no slot is free while somebody is in
// line, nobody without a slot waits while another has an idle connection, and in the end
// all are served.
func TestLimiterInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := NewRand(t)
		for range Long(t, 40) {
			l := newLimiter(1 + rng.IntN(6))
			all := make([]*lodger, 2+rng.IntN(4))
			for i := range all {
				all[i] = newLodger(l)
				all[i].slow = rng.IntN(3) == 0
			}
			check := func() {
				t.Helper()
				require.NoError(t, l.validate())
				open, closing := 0, 0
				for _, d := range all {
					require.Equal(t, d.slots, d.lent+len(d.ready)+d.closing)
					require.Equal(t, d.wants > 0, l.line.has(&d.share), "in line")
					open, closing = open+d.slots, closing+d.closing
				}
				require.Equal(t, open, l.used)
				if l.line.Len() == 0 {
					return
				}
				require.Equal(t, l.max, l.used, "a slot is free and somebody in line")
				first := l.line.first()
				for _, d := range all {
					if first.slots == 0 && closing == 0 && len(d.ready) > 0 {
						require.LessOrEqual(t, l.now()-d.ready[0], keyTurn, "idle, and another has no slot")
					}
				}
			}
			for range 200 {
				d := all[rng.IntN(len(all))]
				switch rng.IntN(6) {
				case 0, 1:
					d.wants++
					d.share.used.Add(1)
					d.poke()
				case 2, 3:
					if d.lent > 0 {
						d.back(time.Duration(rng.IntN(int(2 * keyTurn))))
					}
				case 4:
					if d.closing > 0 {
						d.closed()
					} else if d.wants > 0 && rng.IntN(3) == 0 { // gives up
						d.wants--
						d.poke()
					}
				case 5:
					pass(l, time.Duration(rng.IntN(int(2*keyGrace))))
				}
				check()
			}
			for rounds := 0; l.line.Len() > 0; rounds++ {
				require.Less(t, rounds, 200, "never served")
				for _, d := range all {
					if d.closing > 0 {
						d.closed()
					}
					if d.lent > 0 {
						d.back(2 * keyTurn)
					}
				}
				pass(l, keyGrace)
				check()
			}
			for _, d := range all {
				for d.lent > 0 {
					d.back(0)
				}
				for d.closing > 0 {
					d.closed()
				}
				require.Zero(t, d.wants)
			}
			check()
			require.Zero(t, l.promised)
			require.False(t, l.raised)
			pass(l, time.Second)
			require.Nil(t, l.timer)
		}
	})
}

// Who yields what comes back, at the edge of each rule.
func TestLimiterYields(t *testing.T) {
	for _, tt := range []struct {
		what      string
		have      int           // slots of the one that gives back
		want      int           // slots of the first in line
		inLine    time.Duration // how long that has stood there
		age       time.Duration // of what comes back
		waiting   bool          // its own key has waiters
		yields    bool
		looksLate time.Duration // when the limiter looks again; 0: not for this
	}{
		{"idle, for one without a slot", 2, 0, 0, keyTurn, false, true, 0},
		{"too young", 2, 0, 0, keyTurn - 1, false, false, 1},
		{"idle, more than the first", 2, 1, keyGrace, keyTurn, false, true, 0},
		{"idle, as many as the first", 1, 1, keyGrace, keyTurn, false, false, keyGrace},
		{"wanted, for one without a slot", 2, 0, keyTurn, keyTurn, true, true, 0},
		{"wanted, and the first has just come", 2, 0, keyTurn - 1, keyTurn, true, false, 0},
		{"wanted, two more than the first", 3, 1, keyGrace, keyTurn, true, true, 0},
		{"wanted, one more than the first", 2, 1, keyGrace, keyTurn, true, false, 0},
		{"wanted, too young", 3, 1, keyGrace, keyTurn - 1, true, false, 0},
	} {
		t.Run(tt.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(tt.have + tt.want)
				holder, first := newLodger(l), newLodger(l)
				holder.wants, first.wants = tt.have, tt.want
				holder.poke()
				first.poke()
				first.wants = 1
				first.poke()
				time.Sleep(tt.inLine) // in the bubble
				synctest.Wait()
				l.mu.Lock()
				if l.timer != nil {
					l.timer.Stop()
					l.timer = nil
				}
				l.mu.Unlock()
				require.Equal(t, tt.yields, l.yields(&holder.share, tt.age, tt.waiting))
				if tt.yields {
					require.Equal(t, 1, l.promised)
					require.False(t, l.yields(&holder.share, tt.age, tt.waiting), "one is promised")
				}
				if tt.looksLate > 0 {
					require.Equal(t, l.now()+tt.looksLate, l.timerAt)
				} else {
					require.Nil(t, l.timer)
				}
				if l.timer != nil {
					l.timer.Stop()
				}
			})
		})
	}
}

// A connection that comes back after the limiter has looked for idle ones, and before it
// has raised the gates, asks nobody: the limiter must look once more.
func TestLimiterLooksAgainAfterItRaisedTheGates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // outside, the timer of a test that takes long would ring
		l := newLimiter(1)
		holder, other := newLodger(l), newLodger(l)
		holder.wants, other.wants = 1, 1
		holder.poke()
		looks := 0
		holder.counted = func() {
			if looks++; looks == 2 { // the first of the heap, then all
				require.Zero(t, holder.gate.Load())
				holder.lent--
				holder.ready = append(holder.ready, l.now())
			}
		}
		other.poke()
		require.GreaterOrEqual(t, looks, 2)
		require.Equal(t, 1, other.lent)
		require.Zero(t, holder.slots)
		require.NoError(t, l.validate())
		holder.counted = nil
		other.back(0)
		if l.timer != nil {
			l.timer.Stop()
		}
	})
}

// A free slot is for the first in line. Only one with fewer slots goes before.
func TestLimiterTakeOvertakesNoEqual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // outside, the timer of a test that takes long would ring
		l := newLimiter(2)
		a, b, c := newLodger(l), newLodger(l), newLodger(l)
		require.True(t, a.take(true))
		require.True(t, b.take(true))
		require.False(t, b.take(true), "in line with one slot")
		pass(l, time.Microsecond)
		l.give(&a.share, 1, 0) // free now, and not settled
		require.False(t, a.share.slots > 0)
		require.False(t, c.take(false), "waits for nothing")
		require.True(t, c.take(true), "it has none")
		require.False(t, c.take(true), "in line, with one slot too")
		pass(l, time.Microsecond)
		l.give(&b.share, 1, 0)
		l.give(&c.share, 1, 0)
		require.False(t, a.take(true), "b has stood longer, and has none")
		pass(l, time.Microsecond)
		require.False(t, c.take(true))
		pass(l, time.Microsecond)
		require.True(t, b.take(true))
		require.True(t, c.take(true), "it is first now")
		l.timer.Stop()
	})
}

// One that has a slot gets an idle connection of a key that has more at once when it is
// urgent, and that of any other when it has been idle for keyGrace.
func TestLimiterTakesFromTheRicher(t *testing.T) {
	for name, tt := range map[string]struct {
		slots int           // of the other key
		want  time.Duration // when its connection is taken
	}{
		"more":    {2, keyGrace},
		"as many": {1, 2 * keyGrace},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLimiter(1 + tt.slots)
				other, first := newLodger(l), newLodger(l)
				other.wants, first.wants = tt.slots, 1
				other.poke()
				first.poke()
				begin := l.now()
				first.wants = 1
				first.poke()
				pass(l, keyGrace-time.Millisecond)
				other.lent--
				other.ready = append(other.ready, l.now())
				for first.lent < 2 {
					pass(l, time.Millisecond/2)
				}
				require.InDelta(t, tt.want, l.now()-begin, float64(time.Millisecond))
				require.NoError(t, l.validate())
			})
		})
	}
}

// The pool to take from is that of the key used least recently: against a sort.
func TestLeastUsedIsFoundWithoutSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	l := newLimiter(1000)
	var all []*lodger
	for i := range 50 {
		d := newLodger(l)
		d.ready = make([]time.Duration, 1)
		d.share.used.Store(uint64(i + 1))
		require.True(t, d.take(false))
		all = append(all, d)
	}
	clock := uint64(100)
	for range 2000 {
		d := all[rng.IntN(len(all))]
		switch rng.IntN(3) {
		case 0:
			clock++
			d.share.used.Store(clock)
		case 1:
			d.ready = make([]time.Duration, rng.IntN(2)) // idle or lent
		case 2:
			if d.slots == 0 {
				d.take(false)
			} else {
				l.give(&d.share, 1, 0)
			}
		}
		var want *share
		for _, d := range all {
			if d.slots > 0 && len(d.ready) > 0 && (want == nil || d.share.used.Load() < want.used.Load()) {
				want = &d.share
			}
		}
		require.Same(t, want, l.leastUsed())
		require.NoError(t, l.validate())
	}
}
