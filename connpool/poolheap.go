package connpool

import "container/heap"

// poolHeap is a heap of pools that knows each one's place, so that one can be taken
// out of the middle.
type poolHeap[C any] struct {
	pools []*Pool[C]
	less  func(a, b *share) bool
	place func(*share) *int // 1 + the index in pools; 0: not there
}

func (h *poolHeap[C]) push(p *Pool[C]) { heap.Push(h, p) }

// first returns the least pool, or nil.
func (h *poolHeap[C]) first() *Pool[C] {
	if len(h.pools) == 0 {
		return nil
	}
	return h.pools[0]
}

func (h *poolHeap[C]) has(p *Pool[C]) bool { return *h.place(&p.share) > 0 }

// remove takes p out, if it is there.
func (h *poolHeap[C]) remove(p *Pool[C]) {
	if i := *h.place(&p.share); i > 0 {
		heap.Remove(h, i-1)
	}
}

// fix is called after what less compares has changed for p.
func (h *poolHeap[C]) fix(p *Pool[C]) {
	if i := *h.place(&p.share); i > 0 {
		heap.Fix(h, i-1)
	}
}

// Len, Less, Swap, Push and Pop are for container/heap.
func (h *poolHeap[C]) Len() int           { return len(h.pools) }
func (h *poolHeap[C]) Less(i, j int) bool { return h.less(&h.pools[i].share, &h.pools[j].share) }

func (h *poolHeap[C]) Swap(i, j int) {
	a, b := h.pools[i], h.pools[j]
	h.pools[i], h.pools[j] = b, a
	*h.place(&a.share), *h.place(&b.share) = j+1, i+1
}

func (h *poolHeap[C]) Push(x any) {
	p := x.(*Pool[C])
	h.pools = append(h.pools, p)
	*h.place(&p.share) = len(h.pools)
}

func (h *poolHeap[C]) Pop() any {
	last := len(h.pools) - 1
	p := h.pools[last]
	h.pools[last] = nil
	h.pools = h.pools[:last]
	*h.place(&p.share) = 0
	return p
}
