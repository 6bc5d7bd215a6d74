package connpool

import "container/heap"

// shareHeap is a heap of shares that knows each one's place, so that one can be taken
// out of the middle.
type shareHeap struct {
	all   []*share
	less  func(a, b *share) bool
	place func(*share) *int // 1 + the index in all; 0: not there
}

func (h *shareHeap) push(s *share) { heap.Push(h, s) }

// first returns the least share, or nil.
func (h *shareHeap) first() *share {
	if len(h.all) == 0 {
		return nil
	}
	return h.all[0]
}

func (h *shareHeap) has(s *share) bool { return *h.place(s) > 0 }

// remove takes s out, if it is there.
func (h *shareHeap) remove(s *share) {
	if i := *h.place(s); i > 0 {
		heap.Remove(h, i-1)
	}
}

// fix is called after what less compares has changed for s.
func (h *shareHeap) fix(s *share) {
	if i := *h.place(s); i > 0 {
		heap.Fix(h, i-1)
	}
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (h *shareHeap) Len() int           { return len(h.all) }
func (h *shareHeap) Less(i, j int) bool { return h.less(h.all[i], h.all[j]) }

func (h *shareHeap) Swap(i, j int) {
	a, b := h.all[i], h.all[j]
	h.all[i], h.all[j] = b, a
	*h.place(a), *h.place(b) = j+1, i+1
}

func (h *shareHeap) Push(x any) {
	s := x.(*share)
	h.all = append(h.all, s)
	*h.place(s) = len(h.all)
}

func (h *shareHeap) Pop() any {
	last := len(h.all) - 1
	s := h.all[last]
	h.all[last] = nil
	h.all = h.all[:last]
	*h.place(s) = 0
	return s
}
