package batchchan

import "time"

// backlog is what an engine has accepted and no taker has: the items of the open batch,
// which is being filled, and the batches that were cut from it and are ready, oldest
// first. It knows when a batch is full and of what; when one that is not full is due,
// and how much may wait, is the engine's to say. Where batches are small, buf holds
// several that follow one another, and only the last is open: see bulk.go. What may
// leave before it is taken is in backlog_leave.go. The owner's lock guards it.
//
// Invariants, whenever that is free:
//   - bound-maxBatch < len(buf) <= bound, len(buf) < bulk, bytes < maxBytes
//   - readyItems and readyBytes are what ready holds, and what its taker has not begun
type backlog[T any] struct {
	// Send's fast path appends to buf by itself. These share a cache line with the
	// engine's lock.
	buf   []T
	room  int           // an append is plain while len(buf) < room
	bound int           // len(buf) at which its last batch is full; 0 while it is empty
	at    time.Duration // when the first item of buf's last batch came

	seq        uint64          // the number of buf's first batch
	marks      []time.Duration // when the first items of buf's batches came, if there may be several
	bytes      int
	sizes      []int        // of the items in buf, if sized
	ready      batchList[T] // cut, not yet taken
	readyItems int
	readyBytes int
	free       []*batch[T] // empty batches
	leaving[T]

	// Set before the first item, then only read.
	maxBatch int
	maxBytes int  // 0: no bound
	bulk     int  // items that buf holds: maxBatch, or a multiple
	sized    bool // items have sizes
}

func (l *backlog[T]) init(cfg *Config[T], bulk int) {
	l.maxBatch, l.maxBytes, l.bulk, l.sized = cfg.MaxBatch, cfg.MaxBytes, bulk, cfg.SizeOf != nil
	l.seq = 1
	l.buf = l.newItems()
}

func (l *backlog[T]) newItems() []T { return make([]T, 0, min(l.bulk, 1024)) }

// runs says whether buf may hold several batches.
func (l *backlog[T]) runs() bool { return l.bulk > l.maxBatch }

// pending returns how many items wait.
func (l *backlog[T]) pending() int { return l.readyItems + len(l.buf) - l.gone }

// pendingBytes returns the sum of their sizes.
func (l *backlog[T]) pendingBytes() int { return l.readyBytes + l.bytes - l.goneBytes }

// filling returns how many items are in no batch that is ready.
func (l *backlog[T]) filling() int { return len(l.buf) }

// batches returns how many batches these are.
func (l *backlog[T]) batches() int {
	if len(l.buf) == 0 {
		return 0
	}
	return max(len(l.marks), 1)
}

// allow lets Send append by itself as long as limit items wait at most. It must follow
// every change of what wait; 0 forbids it.
func (l *backlog[T]) allow(limit int) {
	l.room = 0
	if limit > 0 {
		l.room = max(min(l.bound-1, limit-l.readyItems+l.gone), 0)
	}
}

// full says whether buf has no room for another item.
func (l *backlog[T]) full() bool { return len(l.buf) == l.bulk }

// opens says whether the next item is the first of a batch.
func (l *backlog[T]) opens() bool { return len(l.buf) == l.bound }

// left returns how many items the last batch has room for.
func (l *backlog[T]) left() int { return l.bound - len(l.buf) }

// excludes says whether an item of that size would make the open batch too heavy.
func (l *backlog[T]) excludes(size int) bool {
	return l.maxBytes > 0 && size > l.maxBytes-l.bytes && len(l.buf) > 0
}

// heavy says whether the open batch is full by weight.
func (l *backlog[T]) heavy() bool { return l.maxBytes > 0 && l.bytes >= l.maxBytes }

// add appends an item, and reports whether it is the first of a batch; at is then the
// time of that.
func (l *backlog[T]) add(item T, size int, at time.Duration) (opened bool) {
	if opened = len(l.buf) == l.bound; opened {
		l.open(at)
	}
	l.buf = append(l.buf, item)
	if l.placed != nil {
		l.added++
		l.placed(item, l.added)
	}
	if l.sized {
		l.bytes += size
		l.sizes = append(l.sizes, size)
	}
	return opened
}

// addMany appends items without sizes that came at that time, as many as the last batch
// has room for, and returns how many.
func (l *backlog[T]) addMany(items []T, at time.Duration) (n int, opened bool) {
	if opened = len(l.buf) == l.bound; opened {
		l.open(at)
	} else if at < l.at {
		l.at = at
		if n := len(l.marks); n > 0 {
			l.marks[n-1] = at
		}
	}
	n = min(len(items), l.bound-len(l.buf))
	l.buf = append(l.buf, items[:n]...)
	if l.placed != nil {
		for _, item := range items[:n] {
			l.added++
			l.placed(item, l.added)
		}
	}
	return n, opened
}

// open begins a batch in buf.
func (l *backlog[T]) open(at time.Duration) {
	l.at = at
	l.bound += l.maxBatch
	if l.bulk > l.maxBatch {
		l.marks = append(l.marks, at)
	}
}

// cut makes what is in buf ready: all of it, or, where there are several batches, those
// that are full, for which why is then BySize. It returns what it made ready, and how
// many batches that is. There is something in buf.
func (l *backlog[T]) cut(why Reason) (b *batch[T], batches int) {
	if n := len(l.free); n > 0 {
		b = l.free[n-1]
		l.free[n-1] = nil
		l.free = l.free[:n-1]
	} else {
		b = &batch[T]{items: l.newItems()}
	}
	b.items, l.buf = l.buf, b.items
	if l.sized {
		b.sizes, l.sizes = l.sizes, b.sizes
		b.bytes, l.bytes = l.bytes, 0
	}
	b.seq, b.reason, b.firstAt, b.end = l.seq, why, l.at, l.added
	l.bound = 0
	batches = 1
	if l.bulk > l.maxBatch {
		batches = l.split(b)
	}
	l.seq += uint64(batches)
	l.readyItems += len(b.items)
	l.readyBytes += b.bytes
	l.ready.push(b)
	return b, batches
}

// split keeps in b, which was buf, the batches that are full, and leaves the rest in
// buf; if none is full b is that one batch. It returns how many.
func (l *backlog[T]) split(b *batch[T]) int {
	b.marks, l.marks = l.marks, b.marks[:0]
	n := len(b.items) / l.maxBatch
	if n == 0 {
		return 1
	}
	b.reason, b.firstAt = BySize, b.marks[0]
	if rest := b.items[n*l.maxBatch:]; len(rest) > 0 {
		l.buf = append(l.buf, rest...)
		l.marks = append(l.marks, b.marks[n])
		l.bound = l.maxBatch
		clear(rest)
		b.items = b.items[:n*l.maxBatch]
	}
	return n
}

// anyReady says whether a batch is ready.
func (l *backlog[T]) anyReady() bool { return l.ready.head != nil }

// pop takes the oldest batch that is ready out of the line. There is one. Its items go
// on to count until begun says that they were given to somebody.
func (l *backlog[T]) pop() *batch[T] { return l.ready.pop() }

// begun takes items of a batch that was popped off the count.
func (l *backlog[T]) begun(items, bytes int) {
	l.readyItems -= items
	l.readyBytes -= bytes
}

// batchesIn returns how many batches b is, of which none was begun.
func (l *backlog[T]) batchesIn(b *batch[T]) int { return max(len(b.items)/l.maxBatch, 1) }

// dropFirst takes out the item that has waited longest, unless it is one that has left:
// then all those at the front go, and ok is false. emptied is the batch that it was
// the last of, which is out of the line. A batch is ready.
func (l *backlog[T]) dropFirst() (item T, ok bool, emptied *batch[T]) {
	b := l.ready.head
	if l.gone > 0 && l.leaves(b.items[b.off]) {
		l.skip(b)
	} else {
		item, ok = b.items[b.off], true
		if l.placed != nil {
			l.placed(item, 0)
		}
		l.dropOne(b)
	}
	if b.off < len(b.items) {
		return item, ok, nil
	}
	return item, ok, l.ready.pop()
}

// dropOne takes out the first item of b.
func (l *backlog[T]) dropOne(b *batch[T]) (size int) {
	var zero T
	b.items[b.off] = zero
	if l.sized {
		size = b.sizes[b.off]
		b.bytes -= size
	}
	b.off++
	l.begun(1, size)
	return size
}

// takeBack appends what buf holds to to, without what has left, and leaves nothing: the
// batches that were ready must be out. n is how many there were in buf.
func (l *backlog[T]) takeBack(to []T) (all []T, n int) {
	n = len(l.buf)
	to = l.appendStaying(to, l.buf)
	clear(l.buf)
	l.buf, l.sizes, l.bytes = l.buf[:0], l.sizes[:0], 0
	l.bound, l.marks = 0, l.marks[:0]
	l.readyItems, l.readyBytes = 0, 0
	l.gone, l.goneBytes, l.takenTo = 0, 0, l.added
	return to, n
}

// recycle takes back b, whose items were cleared, to be filled again.
func (l *backlog[T]) recycle(b *batch[T]) {
	if b.whole != nil {
		b.items, b.whole = b.whole, nil
	}
	b.items = b.items[:0]
	if l.sized || b.off|b.retries|b.panics|b.failed != 0 { // else nothing to reset, and a line less to write
		b.sizes, b.off, b.retries, b.panics, b.failed = b.sizes[:0], 0, 0, 0, 0
	}
	l.free = append(l.free, b)
}
