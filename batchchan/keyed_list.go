package batchchan

// keyList is a doubly linked list of keys, used as a FIFO.
type keyList[K comparable, T any] struct {
	head, tail *keyState[K, T]
	n          int
}

func (l *keyList[K, T]) push(s *keyState[K, T], name uint8) {
	s.list, s.prev, s.next = name, l.tail, nil
	if l.tail == nil {
		l.head = s
	} else {
		l.tail.next = s
	}
	l.tail = s
	l.n++
}

func (l *keyList[K, T]) remove(s *keyState[K, T]) {
	if s.prev == nil {
		l.head = s.next
	} else {
		s.prev.next = s.next
	}
	if s.next == nil {
		l.tail = s.prev
	} else {
		s.next.prev = s.prev
	}
	s.list, s.prev, s.next = inNone, nil, nil
	l.n--
}

// keyHeap is a binary heap of keys by the age of their first item, oldest on
// top. A key knows its place, so that it can be taken out anywhere.
type keyHeap[K comparable, T any] []*keyState[K, T]

func (h *keyHeap[K, T]) push(s *keyState[K, T]) {
	*h = append(*h, s)
	s.heapAt = len(*h)
	h.up(len(*h) - 1)
}

func (h *keyHeap[K, T]) remove(s *keyState[K, T]) {
	if s.heapAt == 0 {
		return
	}
	i, last := s.heapAt-1, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	s.heapAt = 0
	if i < last {
		h.down(i)
		h.up(i)
	}
}

func (h keyHeap[K, T]) less(i, j int) bool { return h[i].marks[0] < h[j].marks[0] }

func (h keyHeap[K, T]) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = i+1, j+1
}

func (h keyHeap[K, T]) up(i int) {
	for p := (i - 1) / 2; i > 0 && h.less(i, p); p = (i - 1) / 2 {
		h.swap(i, p)
		i = p
	}
}

func (h keyHeap[K, T]) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h.less(c+1, c) {
			c++
		}
		if !h.less(c, i) {
			return
		}
		h.swap(i, c)
		i = c
	}
}
