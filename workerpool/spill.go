package workerpool

// spill is a FIFO of values in linked chunks: the part of an unbounded queue that
// does not fit into the ring, the queue of a view, and the hand-over list of a pool
// without a queue. Chunks are returned to the collector as they empty, all but one.
// Its owner's mutex guards it.
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

// weed removes the values that dead reports and returns them, oldest first.
func (s *spill[T]) weed(dead func(T) bool) (out []T) {
	for range s.len {
		if it := s.pop(); dead(it.val) {
			out = append(out, it.val)
		} else {
			s.push(it)
		}
	}
	return out
}
