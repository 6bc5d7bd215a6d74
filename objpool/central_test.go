package objpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// newCentral returns a central stack for n objects and 2 Ps.
func newCentral(n int) *central[int] {
	return &central[int]{max: n, procs: 2, least: 1}
}

func (c *central[T]) check(t *testing.T, ms ...*magazine[T]) {
	t.Helper()
	lent, held := 0, 0
	for _, m := range ms {
		lent += int(m.capacity)
		held += m.len()
	}
	require.Equal(t, lent, c.lent)
	require.GreaterOrEqual(t, c.room(), 0)
	require.LessOrEqual(t, len(c.items)+held, c.max)
}

func TestCentralMovesObjectsWithTheirRoom(t *testing.T) {
	c := newCentral(10)
	m := &magazine[int]{slots: new([magSize]int)}
	for i := range 8 {
		c.push(i, 0)
	}
	require.Equal(t, 2, c.room())
	c.lend(m, 6) // 4 objects bring their room, 2 find some
	c.refill(m, 4)
	c.check(t, m)
	require.Zero(t, c.room())
	require.Equal(t, 7, m.pop(m.state), "the newest went")
	m.push(m.state, 70)
	m.push(m.state, 80)
	c.takeBack(m)
	c.check(t, m)
	require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 70, 80}, c.items)
	require.Equal(t, uint64(1), c.flow, "4 went, 5 came")
	require.Equal(t, 9, c.high)

	m.slots = new([magSize]int)
	c.lend(m, 1)
	m.push(m.state, 90)
	c.lend(m, 0)
	c.spill(m, 1)
	c.check(t, m)
	require.Equal(t, 90, c.pop())
}

func TestCentralLendsWhatIsFair(t *testing.T) {
	for _, c := range []struct {
		name                   string
		max, procs, peak, lent int
		has, want              int
		lastPeak               int
	}{
		{name: "roomy", max: 4096, procs: 2, want: 682, peak: 4},
		{name: "a quarter for all", max: 4096, procs: 2, peak: 4, lent: 1024, want: 0},
		{name: "what it has counts once", max: 4096, procs: 2, peak: 4, lent: 1024, has: 16, want: 16},
		{name: "working set and 16 for each of 2", max: 132, procs: 2, peak: 100, want: 16},
		{name: "working set and 16 for each of 4", max: 164, procs: 4, peak: 100, want: 10},
		{name: "working set and 16 for each of 64", max: 1124, procs: 64, peak: 100, want: 8},
		{name: "no room beyond the peak", max: 256, procs: 2, peak: 256, want: 0},
		{name: "nor beyond the one before", max: 256, procs: 2, lastPeak: 256, want: 0},
		{name: "too much was lent", max: 256, procs: 2, peak: 240, lent: 16, has: 12, want: 4},
		{name: "one P", max: 100, procs: 1, peak: 10, want: 25},
	} {
		s := &central[int]{max: c.max, procs: c.procs, peak: c.peak, lastPeak: c.lastPeak, lent: c.lent}
		require.Equal(t, c.want, s.mayLend(c.has), c.name)
	}
}

// Space follows the need, but not so fast that a burst allocates.
func TestCentralGivesSpaceBack(t *testing.T) {
	c := newCentral(10_000)
	for i := range 1000 {
		c.push(i, 0)
	}
	full := cap(c.items)
	for range 1000 {
		c.pop()
	}
	c.fit()
	require.Equal(t, full, cap(c.items), "needed since the last look")
	c.push(1, 0)
	c.fit()
	require.Less(t, cap(c.items), 10)
	require.Equal(t, []int{1}, c.items)

	for i := range 1000 {
		c.push(i, 0)
	}
	require.Len(t, c.dropOldest(990), 990)
	require.Less(t, cap(c.items), 40)
	require.Len(t, c.dropOldest(11), 11)
	require.Zero(t, cap(c.items))

	c = newCentral(3)
	for i := range 3 {
		c.push(i, 0)
	}
	require.Equal(t, 3, cap(c.items), "never more than max")
}

func TestCentralKnowsTheBytes(t *testing.T) {
	c := newCentral(100)
	c.sized = true
	for i := range 50 {
		c.push(i, int64(i))
	}
	require.Equal(t, 49, c.pop())
	require.EqualValues(t, 48*49/2, c.bytes)
	c.dropOldest(3)
	require.EqualValues(t, 48*49/2-3, c.bytes)
	c.fit()
	c.fit()
	c.dropOldest(46)
	require.Zero(t, c.bytes)
	c.push(1, 7)
	require.EqualValues(t, 7, c.bytes)
}

// low is what was there throughout, with what a recall has under way.
func TestCentralKnowsWhatWasNotNeeded(t *testing.T) {
	c := newCentral(100)
	m := &magazine[int]{slots: new([magSize]int)}
	for i := range 20 {
		c.push(i, 0)
	}
	c.lend(m, 12)
	c.refill(m, 12)
	c.away, m.away, m.recalled = 12, 12, true
	c.low = len(c.items) + c.away
	c.pop()
	require.Equal(t, 19, c.low)
	m.pop(m.state)
	c.takeBack(m)
	require.Zero(t, c.away)
	c.pop()
	require.Equal(t, 17, c.low)
	c.push(1, 0)
	require.Equal(t, 17, c.low)
}
