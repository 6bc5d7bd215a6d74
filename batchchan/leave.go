package batchchan

// When a Do leaves before its request was taken, the request gives its room back at
// once. It is marked, not searched for: the request knows its position, and
// everything up to takenTo has been taken. What is marked is thrown out when its
// batch is taken, or by a sweep when it is the larger part of what waits, so that
// a sweep costs each of them a constant.

// leaveState is the part of a core that is for items that may leave. Guarded by mu.
type leaveState[T any] struct {
	added     uint64 // items added
	takenTo   uint64 // the position of the last item taken
	gone      int    // items that wait and are marked
	goneBytes int    // their sizes, where SizeOf is used

	// Set where items may leave, then only read.
	placed func(item T, at uint64) // remembers the item's position; 0: taken out
	leaves func(item T) bool       // says whether the item is marked
}

// leaveLocked follows the marking of an item, which was at that position and of that
// size. It reports false if it was taken before.
func (c *core[T]) leaveLocked(at uint64, size int, e *effects[T]) bool {
	if at <= c.takenTo {
		return false
	}
	c.gone++
	c.goneBytes += size
	c.n.cancelled++
	if c.gone > 64 && c.gone > (c.readyItems+len(c.buf))/2 {
		c.sweepLocked(e)
	}
	c.admitLocked(e)
	c.roomLocked()
	c.endLocked(e)
	return true
}

// takenLocked follows the taking of b: it throws the marked out and returns how
// many items are left.
func (c *core[T]) takenLocked(b *batch[T]) int {
	c.takenTo = b.end
	if c.gone > 0 {
		b.items, b.sizes = c.throwOut(b.items, b.sizes, b.off)
	}
	return len(b.items) - b.off
}

// throwOut takes the marked out of items[from:].
func (c *core[T]) throwOut(items []T, sizes []int, from int) ([]T, []int) {
	n := from
	for i := from; i < len(items); i++ {
		if c.leaves(items[i]) {
			c.gone--
			if c.cfg.SizeOf != nil {
				c.goneBytes -= sizes[i]
			}
			continue
		}
		items[n] = items[i]
		if c.cfg.SizeOf != nil {
			sizes[n] = sizes[i]
		}
		n++
	}
	clear(items[n:])
	if c.cfg.SizeOf != nil {
		sizes = sizes[:n]
	}
	return items[:n], sizes
}

// sweepLocked throws out all that is marked.
func (c *core[T]) sweepLocked(e *effects[T]) {
	all := c.ready
	c.ready = batchList[T]{}
	c.readyItems, c.readyBytes = 0, 0
	for all.head != nil {
		b := all.pop()
		b.items, b.sizes = c.throwOut(b.items, b.sizes, b.off)
		if len(b.items) == b.off {
			clear(b.items)
			c.retireLocked(b, 1, e)
			continue
		}
		b.bytes = sum(b.sizes[min(b.off, len(b.sizes)):])
		c.readyItems += len(b.items) - b.off
		c.readyBytes += b.bytes
		c.ready.push(b)
	}
	c.buf, c.bufSizes = c.throwOut(c.buf, c.bufSizes, 0)
	c.bufBytes = sum(c.bufSizes)
	if len(c.buf) == 0 {
		c.bound = 0
	}
}

func sum(n []int) (s int) {
	for _, v := range n {
		s += v
	}
	return s
}

// skipGoneLocked takes the marked off the front of the oldest batch and reports
// whether there were any. There is a batch.
func (c *core[T]) skipGoneLocked(e *effects[T]) bool {
	b := c.ready.head
	if !c.leaves(b.items[b.off]) {
		return false
	}
	from := b.off
	var zero T
	for b.off < len(b.items) && c.leaves(b.items[b.off]) {
		b.items[b.off] = zero
		if c.cfg.SizeOf != nil {
			c.goneBytes -= b.sizes[b.off]
			c.readyBytes -= b.sizes[b.off]
			b.bytes -= b.sizes[b.off]
		}
		c.gone--
		b.off++
	}
	c.readyItems -= b.off - from
	if b.off == len(b.items) {
		c.ready.pop()
		c.retireLocked(b, 1, e)
	}
	return true
}

// appendStaying appends items without the marked.
func (c *core[T]) appendStaying(to, items []T) []T {
	if c.gone == 0 {
		return append(to, items...)
	}
	for _, item := range items {
		if !c.leaves(item) {
			to = append(to, item)
		}
	}
	return to
}
