package workerpool

// spill is a FIFO of values in linked chunks: the part of an unbounded queue that
// does not fit into the ring, and the hand-over list of a pool without a queue.
// Chunks are returned to the collector as they empty, all but one. It is guarded
// by the pool's mutex.
type spill[T any] struct {
	head, tail *chunk[T]
	spare      *chunk[T]
	len        int
}

type chunk[T any] struct {
	next   *chunk[T]
	lo, hi int
	items  [128]item[T]
}

// item is a value and its submission time, 0 where that is not measured.
type item[T any] struct {
	val T
	at  int64
}

func (s *spill[T]) push(it item[T]) {
	if s.tail == nil || s.tail.hi == len(s.tail.items) {
		c := s.spare
		if c == nil {
			c = new(chunk[T])
		}
		s.spare = nil
		if s.tail == nil {
			s.head = c
		} else {
			s.tail.next = c
		}
		s.tail = c
	}
	s.tail.items[s.tail.hi] = it
	s.tail.hi++
	s.len++
}

// peek returns the oldest value; the spill must not be empty.
func (s *spill[T]) peek() item[T] { return s.head.items[s.head.lo] }

// pop removes and returns the oldest value; the spill must not be empty.
func (s *spill[T]) pop() item[T] {
	c := s.head
	it := c.items[c.lo]
	c.items[c.lo] = item[T]{}
	c.lo++
	s.len--
	if c.lo == c.hi && (c.hi == len(c.items) || s.len == 0) {
		s.head = c.next
		if s.head == nil {
			s.tail = nil
		}
		c.next, c.lo, c.hi = nil, 0, 0
		s.spare = c
	}
	return it
}

// blocked is the FIFO of submitters that wait for room, an intrusive list so
// that one whose ctx ends leaves from the middle. It is guarded by the pool's
// mutex.
type blocked[T any] struct {
	head, tail *submitter[T]
	len        int
	free       *submitter[T] // for reuse, linked by next
	frees      int
}

// submitter is one blocked submission. Its value is put into the queue for it, in
// turn, by whoever makes room: no submitter starves however many barge past.
type submitter[T any] struct {
	next, prev *submitter[T]
	val        T
	queued     bool       // still in the list
	done       chan error // capacity 1: nil once accepted, ErrClosed
}

const maxFreeSubmitters = 64

func (b *blocked[T]) push(v T) *submitter[T] {
	s := b.free
	if s != nil {
		b.free, s.next = s.next, nil
		b.frees--
	} else {
		s = &submitter[T]{done: make(chan error, 1)}
	}
	s.val, s.queued = v, true
	if s.prev = b.tail; b.tail == nil {
		b.head = s
	} else {
		b.tail.next = s
	}
	b.tail = s
	b.len++
	return s
}

func (b *blocked[T]) remove(s *submitter[T]) {
	if s.prev == nil {
		b.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		b.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	var zero T
	s.next, s.prev, s.val, s.queued = nil, nil, zero, false
	b.len--
}

// recycle takes back a submitter that is out of the list and whose done channel
// is empty.
func (b *blocked[T]) recycle(s *submitter[T]) {
	if b.frees < maxFreeSubmitters {
		s.next, b.free = b.free, s
		b.frees++
	}
}
