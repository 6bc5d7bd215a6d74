package connpool

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The kind: who asks for a dial may begin one, or is told when to look again, or
// there is a dial under way whose end looks. From one reading of the clock, so that
// no moment lies between.
func TestARefusedDialIsLookedAtAgain(t *testing.T) {
	d := dialer{backoff: Backoff{Min: 10, Jitter: -1}, breaker: Breaker{Failures: 2, OpenFor: 100}}
	failAt := func(now time.Duration) {
		p := new(pending)
		d.begin(p, now)
		d.end(p, now, 1, errDown, true)
	}
	failAt(5) // a pause of 10
	for now, again := range map[time.Duration]time.Duration{5: 10, 14: 1, 15: 0, 16: 0, math.MaxInt64: 0} {
		ok, in := d.mayDial(now)
		require.Equal(t, again, in, "at %d", now)
		require.Equal(t, again == 0, ok, "at %d", now)
	}
	failAt(20) // opens for 100
	for now, again := range map[time.Duration]time.Duration{20: 100, 119: 1, 120: 0} {
		ok, in := d.mayDial(now)
		require.Equal(t, again, in, "at %d", now)
		require.Equal(t, again == 0, ok, "at %d", now)
	}
	hung := new(pending)
	d.begin(hung, 120)
	ok, in := d.mayDial(121)
	require.False(t, ok, "one at a time")
	require.Zero(t, in, "its end looks again")
	d.giveUp(hung)
	ok, _ = d.mayDial(121)
	require.True(t, ok, "a dial that is late is not waited for")

	rapid.Check(t, func(t *rapid.T) {
		under := rapid.IntRange(0, 3).Draw(t, "under")
		instant := rapid.SampledFrom([]int64{0, 1, 2, 10, math.MaxInt64 - 1, math.MaxInt64})
		d := dialer{
			running: make([]*pending, under), late: rapid.IntRange(0, under).Draw(t, "late"),
			failures: rapid.IntRange(0, 2).Draw(t, "failures"),
			retryAt:  time.Duration(instant.Draw(t, "retryAt")),
			state:    rapid.SampledFrom([]BreakerState{BreakerClosed, BreakerOpen, BreakerHalfOpen}).Draw(t, "state"),
		}
		now := time.Duration(instant.Draw(t, "now"))
		ok, again := d.mayDial(now)
		if !ok && again <= 0 && d.supply() == 0 {
			t.Fatalf("%+v at %d: refused, and nothing looks again", d, now)
		}
		if again > 0 {
			if ok, _ := d.mayDial(now + again - 1); ok {
				t.Fatalf("%+v at %d: %d is too late", d, now, again)
			}
			if ok, in := d.mayDial(now + again); !ok && in > 0 {
				t.Fatalf("%+v at %d: %d is too early", d, now, again)
			}
		}
	})
}

// OnBreaker is told of every change, once, in their order, by one at a time.
func TestTheDialersNews(t *testing.T) {
	d := dialer{breaker: Breaker{Failures: 1, OpenFor: 10}, tells: true}
	try := func(err error) {
		p := new(pending)
		d.begin(p, 0)
		d.end(p, 0, 1, err, true)
	}
	fail := func() { try(errDown) }
	require.False(t, d.tell(), "nothing has changed")
	fail()
	require.True(t, d.tell())
	fail() // half open between
	require.False(t, d.tell(), "somebody tells already")
	require.Equal(t, []BreakerState{BreakerOpen, BreakerHalfOpen, BreakerOpen}, d.takeNews())
	try(nil)
	require.False(t, d.tell(), "it looks once more")
	require.Equal(t, []BreakerState{BreakerHalfOpen, BreakerClosed}, d.takeNews())
	require.Empty(t, d.takeNews())
	require.False(t, d.tell())
	fail()
	require.True(t, d.tell(), "the one before has gone")

	d = dialer{breaker: Breaker{Failures: 1}}
	fail()
	require.False(t, d.tell(), "no hook")
	require.Empty(t, d.news)
}

// A dial is given up once, and not after its end.
func TestTheDialersSupply(t *testing.T) {
	var d dialer
	var a, b pending
	d.begin(&a, 0)
	d.begin(&b, 0)
	require.Equal(t, 2, d.supply())
	require.Equal(t, firstPatience, d.patience())
	d.giveUp(&a)
	d.giveUp(&a)
	require.Equal(t, 1, d.supply())
	require.Equal(t, 2*firstPatience, d.patience(), "with each that is late")
	d.end(&b, 0, 1, nil, false)
	d.giveUp(&b)
	require.Zero(t, d.supply())
	require.Equal(t, 1, d.late)
	d.end(&a, 0, 1, nil, false)
	require.Zero(t, d.late)
	require.Zero(t, d.under())
}

// The patience with each dial is fixed when it begins. Who looks is told when to look again.
func TestTheDialersPatience(t *testing.T) {
	var d dialer
	var a, b, c pending
	d.begin(&a, 10)
	require.Equal(t, 10+firstPatience, a.lateAt)
	require.Equal(t, a.lateAt, d.loseBy(a.lateAt-1))
	require.Equal(t, 1, d.supply())
	d.begin(&b, 20)
	require.Equal(t, b.lateAt, d.loseBy(a.lateAt), "the next")
	require.True(t, a.late)
	require.Equal(t, 1, d.supply())
	d.begin(&c, 30)
	require.Equal(t, 30+2*firstPatience, c.lateAt)
	require.Equal(t, c.lateAt, d.loseBy(b.lateAt+5))
	d.end(&c, 0, 1, nil, true)
	require.Zero(t, d.loseBy(math.MaxInt64), "no other is relied on")
	require.Equal(t, 2, d.late)
	d.end(&a, 0, 1, nil, true)
	d.end(&b, 0, 1, nil, true)
	require.Zero(t, d.late)

	d = dialer{typical: time.Millisecond}
	require.Equal(t, minPatience, d.patience(), "a fast server may stall for a moment")
	d = dialer{typical: time.Second}
	require.Equal(t, 4*time.Second, d.patience())
	d = dialer{typical: math.MaxInt64, running: []*pending{&a}, late: 1}
	require.Equal(t, 8*time.Hour, d.patience())
	d.begin(&b, math.MaxInt64-1)
	require.EqualValues(t, int64(math.MaxInt64), b.lateAt, "never")
}

// A sum that would overflow lies in the past, and what should never come comes at once.
func TestInstantsDoNotOverflow(t *testing.T) {
	for _, d := range []dialer{
		{breaker: Breaker{Failures: 1, OpenFor: math.MaxInt64}},
		{backoff: Backoff{Min: math.MaxInt64, Max: math.MaxInt64, Jitter: -1}},
	} {
		p := new(pending)
		d.begin(p, 0)
		d.end(p, math.MaxInt64/2+5, 1, errDown, true)
		ok, again := d.mayDial(math.MaxInt64/2 + 6)
		require.False(t, ok)
		require.Positive(t, again)
	}
	j := janitor{checkAfterIdle: math.MaxInt64, tick: 5}
	require.False(t, j.begin(time.Time{}.Add(time.Hour), 1, 1, 0))
}

func TestBackoffJitterAndBounds(t *testing.T) {
	b := Backoff{Min: 100 * time.Millisecond, Max: time.Second, Factor: 3, Jitter: 0.5}
	for k, full := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 300 * time.Millisecond, 3: 900 * time.Millisecond, 4: time.Second, 1000: time.Second} {
		lo, hi := time.Hour, time.Duration(0)
		for range 200 {
			d := b.pause(k)
			lo, hi = min(lo, d), max(hi, d)
		}
		require.GreaterOrEqual(t, lo, full/2)
		require.LessOrEqual(t, hi, full)
		require.Less(t, lo, full*6/10)
		require.Greater(t, hi, full*9/10)
	}
	require.Zero(t, (&Backoff{}).pause(3))
	require.Equal(t, 64*time.Millisecond, (&Backoff{Min: time.Millisecond, Jitter: -1}).pause(50), "Max's default")
}
