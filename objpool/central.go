package objpool

import "slices"

// central is the stack that all processors share, with the room that is lent to their
// magazines. Pool.mu guards it.
//
// Invariant: len(items) + lent <= max. A magazine is never longer than its capacity, and
// lent is the sum of the capacities, so at no instant does the pool retain more than max
// objects. With reserved the sum is at most max, too, unless a Resize came after the
// promise: Prewarm then keeps of its objects what there is space for.
//
// All objects that move between items and a magazine take their room along, or find
// room here.
type central[T any] struct {
	items []T     // newest last
	sized bool    // objects have sizes: there is a Config.Size
	sizes []int64 // the bytes of each item
	bytes int64   // their sum

	max      int
	procs    int // Ps to share it
	least    int // the space for items that fit leaves
	lent     int // the sum of the capacities of all magazines
	reserved int // room promised to Prewarm

	visits        uint64 // by anybody
	accepts, pops uint64 // objects that came in by Put, and went out by Get, right here
	flow          uint64 // objects that came from magazines, less those that went there (modulo 2^64)

	high int // most items ever
	peak int // most items since the last call of fit

	lastPeak int // the same between the last two calls

	// low is the least that items + away were since the last tick of the idle timer.
	// away is how many objects were in magazines that the tick recalled and that did
	// not come back yet.
	low, away int
}

// fitEvery is how many visits pass between two looks at how many items there were. What
// comes and goes in a program should be seen within.
const fitEvery = 1024

// room returns how many more objects may come in.
func (c *central[T]) room() int { return max(c.max-c.lent-c.reserved-len(c.items), 0) }

// roomForPromised reports whether an object may come in that has room reserved.
func (c *central[T]) roomForPromised() bool { return c.lent+len(c.items) < c.max }

// mayLend returns the most capacity that a magazine may have which has some now: less
// than it has if it must give back. All of them together never have more than a quarter
// of max, and half of what max has beyond the peak; and each has its fair share.
//
// What is fair: let w be the most objects that are in use at once, and l what is lent to
// others. A Get of the pinned engine misses only while all objects in the pool are in
// their magazines, so misses never make more than w + l objects. A Put is refused only
// while the rest of max is used up, so there are more than max - l. Hence none is refused
// if max >= w + 2l. With a fair share of 8P/(P-1) for each of P processors l is 8P, and
// w + 16P will do for max. More than that is fair where max has three times as much
// for each beyond the peak, which is at least w less what is lent.
func (c *central[T]) mayLend(has int) int {
	spare := c.max - max(c.peak, c.lastPeak)
	all := min(c.max/4, spare/2)
	fair := max(8*c.procs/max(c.procs-1, 1), spare/(3*c.procs))
	return max(min(has+all-c.lent, fair), 0)
}

// visit counts a visit, and fits the space to what the last ones needed. It allocates,
// so the caller must not be pinned.
func (c *central[T]) visit() {
	if c.visits++; c.visits%fitEvery == 0 {
		c.fit()
	}
}

// grow makes space for n more items, as far as max allows. It allocates.
func (c *central[T]) grow(n int) {
	if want := min(len(c.items)+n, c.max); want > cap(c.items) {
		c.space(min(max(want, 2*cap(c.items)), c.max))
	}
}

// fit gives memory back if not even a quarter was needed since the last call.
func (c *central[T]) fit() {
	if n := 2 * max(c.peak, c.least); 2*n < cap(c.items) {
		c.space(n)
	}
	c.lastPeak, c.peak = c.peak, len(c.items)
}

// space moves the items to memory for n.
func (c *central[T]) space(n int) {
	if n == 0 {
		c.items, c.sizes = nil, nil
		return
	}
	c.items = append(make([]T, 0, n), c.items...)
	if c.sizes != nil {
		c.sizes = append(make([]int64, 0, n), c.sizes...)
	}
}

// push adds an object that came by Put or Prewarm and holds n bytes. There is room.
func (c *central[T]) push(v T, n int64) {
	c.grow(1)
	c.items = append(c.items, v)
	if c.sized {
		c.sizes = append(c.sizes, n)
		c.bytes += n
	}
	c.noteHigh()
}

// pop takes the newest item out.
func (c *central[T]) pop() T {
	last := len(c.items) - 1
	v := c.items[last]
	var zero T
	c.items[last] = zero
	c.items = c.items[:last]
	if c.sizes != nil {
		c.bytes -= c.sizes[last]
		c.sizes = c.sizes[:last]
	}
	c.noteLow()
	return v
}

// refill moves the k newest items to the empty magazine m, which has the capacity.
func (c *central[T]) refill(m *magazine[T], k int) {
	rest := len(c.items) - k
	m.fill(c.items[rest:])
	clear(c.items[rest:])
	c.items = c.items[:rest]
	c.flow -= uint64(k)
	c.noteLow()
}

// spill moves the k oldest objects of m here, where there is room for them.
func (c *central[T]) spill(m *magazine[T], k int) {
	c.items = m.spill(c.items, k)
	c.flow += uint64(k)
	c.noteHigh()
}

// lend makes n the capacity of m, which holds no more than that. There is room for the
// difference.
func (c *central[T]) lend(m *magazine[T], n int) {
	c.lent += n - int(m.capacity)
	m.capacity = uint64(n)
}

// takeBack takes all objects and the capacity of m back, whose owner the caller is. It
// is how a recall ends.
func (c *central[T]) takeBack(m *magazine[T]) {
	n := m.len()
	c.lend(m, 0)
	if n > 0 {
		c.spill(m, n)
	}
	c.away -= m.away
	m.away, m.limit, m.recalled = 0, 0, false
	m.seen = m.state
}

// dropOldest takes the n oldest items out and returns them. It gives memory back when
// little is left.
func (c *central[T]) dropOldest(n int) (out []T) {
	for _, b := range c.sizes[:min(n, len(c.sizes))] {
		c.bytes -= b
	}
	if rest := len(c.items) - n; 4*rest < cap(c.items) {
		out = c.items[:n:n]
		c.items = c.items[n:]
		c.sizes = c.sizes[min(n, len(c.sizes)):]
		c.space(rest)
	} else {
		out = slices.Clone(c.items[:n])
		c.items = slices.Delete(c.items, 0, n) // clears the tail
		c.sizes = slices.Delete(c.sizes, 0, min(n, len(c.sizes)))
	}
	c.lastPeak, c.peak = 0, len(c.items)
	c.noteLow()
	return out
}

// noteHigh and noteLow keep the marks of how many items there were. They write only
// what is new.
func (c *central[T]) noteHigh() {
	if n := len(c.items); n > c.peak {
		c.peak = n
		c.high = max(c.high, n)
	}
}

func (c *central[T]) noteLow() {
	if n := len(c.items) + c.away; n < c.low {
		c.low = n
	}
}
