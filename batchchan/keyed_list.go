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

// keyHeap is a binary heap of keys, the one with the smallest number on top. A key
// knows its place, so that it can be taken out anywhere.
type keyHeap[K comparable, T any] struct {
	all    []*keyState[K, T]
	number func(*keyState[K, T]) uint64
	place  func(*keyState[K, T]) *int // index+1; 0: not there
}

// bySegment orders keys by the age of their oldest items.
func bySegment[K comparable, T any]() keyHeap[K, T] {
	return keyHeap[K, T]{
		number: func(s *keyState[K, T]) uint64 { return s.segs.front().seq },
		place:  func(s *keyState[K, T]) *int { return &s.heapAt },
	}
}

// byWaiter orders keys by the arrival of their first waiting senders.
func byWaiter[K comparable, T any]() keyHeap[K, T] {
	return keyHeap[K, T]{
		number: func(s *keyState[K, T]) uint64 { return s.waiters.head.one[0].nth },
		place:  func(s *keyState[K, T]) *int { return &s.waitAt },
	}
}

func (h *keyHeap[K, T]) len() int { return len(h.all) }

func (h *keyHeap[K, T]) top() *keyState[K, T] {
	if len(h.all) == 0 {
		return nil
	}
	return h.all[0]
}

func (h *keyHeap[K, T]) push(s *keyState[K, T]) {
	h.all = append(h.all, s)
	*h.place(s) = len(h.all)
	h.up(len(h.all) - 1)
}

// remove takes s out, if it is there. Its number must be what it was.
func (h *keyHeap[K, T]) remove(s *keyState[K, T]) {
	at := h.place(s)
	if *at == 0 {
		return
	}
	i, last := *at-1, len(h.all)-1
	h.swap(i, last)
	h.all[last] = nil
	h.all = h.all[:last]
	*at = 0
	if i < last {
		h.down(i)
		h.up(i)
	}
	if cap(h.all) > 1024 && last < cap(h.all)/4 {
		h.all = append(make([]*keyState[K, T], 0, cap(h.all)/2), h.all...)
	}
}

func (h *keyHeap[K, T]) less(i, j int) bool { return h.number(h.all[i]) < h.number(h.all[j]) }

func (h *keyHeap[K, T]) swap(i, j int) {
	h.all[i], h.all[j] = h.all[j], h.all[i]
	*h.place(h.all[i]), *h.place(h.all[j]) = i+1, j+1
}

func (h *keyHeap[K, T]) up(i int) {
	for p := (i - 1) / 2; i > 0 && h.less(i, p); p = (i - 1) / 2 {
		h.swap(i, p)
		i = p
	}
}

func (h *keyHeap[K, T]) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h.all) {
			return
		}
		if c+1 < len(h.all) && h.less(c+1, c) {
			c++
		}
		if !h.less(c, i) {
			return
		}
		h.swap(i, c)
		i = c
	}
}
