package batchchan

import "github.com/poundlock/poundlock/internal/list"

// keyList is a FIFO of keys. A key is in one of two, ready or idleKeys, at most, and
// knows in which.
type keyList[K comparable, T any] struct{ list list.List[*keyState[K, T]] }

func (l *keyList[K, T]) len() int { return l.list.Len() }

// first returns the key that has been here for longest, or nil.
func (l *keyList[K, T]) first() *keyState[K, T] { return l.list.Front() }

func (l *keyList[K, T]) push(s *keyState[K, T], name uint8) {
	s.list = name
	l.list.PushBack(&s.node)
}

func (l *keyList[K, T]) remove(s *keyState[K, T]) {
	s.list = inNone
	l.list.Remove(&s.node)
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
		number: func(s *keyState[K, T]) uint64 { return s.waiters.first().one[0].nth },
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
