package batchchan

// When a Do leaves before its request was taken, the request gives its room back at
// once. It is marked, not searched for: the request knows its position, and
// everything up to takenTo has been taken. What is marked is thrown out when its
// batch is taken, or by a sweep when it is the larger part of what waits, so that
// a sweep costs each of them a constant.

// leaving is the part of a backlog that is for items that may leave.
type leaving[T any] struct {
	added     uint64 // items added
	takenTo   uint64 // the position of the last item taken
	gone      int    // items that wait and are marked
	goneBytes int    // their sizes

	// Set where items may leave, then only read.
	placed func(item T, at uint64) // remembers the item's position; 0: taken out
	leaves func(item T) bool       // says whether the item is marked
}

// mark follows the marking of an item, which was at that position and of that size. It
// reports false if it was taken before.
func (l *backlog[T]) mark(at uint64, size int) bool {
	if at <= l.takenTo {
		return false
	}
	l.gone++
	l.goneBytes += size
	return true
}

// sparse says whether a sweep is worth its while.
func (l *backlog[T]) sparse() bool { return l.gone > 64 && l.gone > (l.readyItems+len(l.buf))/2 }

// clean follows the taking of b: it throws the marked out and returns how many items are
// left.
func (l *backlog[T]) clean(b *batch[T]) int {
	l.takenTo = b.end
	if l.gone > 0 {
		b.items, b.sizes = l.throwOut(b.items, b.sizes, b.off)
	}
	return len(b.items) - b.off
}

// throwOut takes the marked out of items[from:].
func (l *backlog[T]) throwOut(items []T, sizes []int, from int) ([]T, []int) {
	n := from
	for i := from; i < len(items); i++ {
		if l.leaves(items[i]) {
			l.gone--
			if l.sized {
				l.goneBytes -= sizes[i]
			}
			continue
		}
		items[n] = items[i]
		if l.sized {
			sizes[n] = sizes[i]
		}
		n++
	}
	clear(items[n:])
	if l.sized {
		sizes = sizes[:n]
	}
	return items[:n], sizes
}

// sweep throws out all that is marked, and returns the batches that this has emptied.
func (l *backlog[T]) sweep() (emptied batchList[T]) {
	all := l.ready
	l.ready = batchList[T]{}
	l.readyItems, l.readyBytes = 0, 0
	for all.head != nil {
		b := all.pop()
		b.items, b.sizes = l.throwOut(b.items, b.sizes, b.off)
		if len(b.items) == b.off {
			clear(b.items)
			emptied.push(b)
			continue
		}
		b.bytes = sum(b.sizes[min(b.off, len(b.sizes)):])
		l.readyItems += len(b.items) - b.off
		l.readyBytes += b.bytes
		l.ready.push(b)
	}
	l.buf, l.sizes = l.throwOut(l.buf, l.sizes, 0)
	l.bytes = sum(l.sizes)
	if len(l.buf) == 0 {
		l.bound = 0
	}
	return emptied
}

func sum(n []int) (s int) {
	for _, v := range n {
		s += v
	}
	return s
}

// skip takes the marked off the front of b.
func (l *backlog[T]) skip(b *batch[T]) {
	for b.off < len(b.items) && l.leaves(b.items[b.off]) {
		l.goneBytes -= l.dropOne(b)
		l.gone--
	}
}

// appendStaying appends items without the marked.
func (l *backlog[T]) appendStaying(to, items []T) []T {
	if l.gone == 0 {
		return append(to, items...)
	}
	for _, item := range items {
		if !l.leaves(item) {
			to = append(to, item)
		}
	}
	return to
}
