package lockfree

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

// msNode is a node of the list; the first one is a dummy.
type msNode[T any] struct {
	// next is nil in the last node, &q.end in the last node of a closed queue, and
	// the node itself in some that the head has left.
	next atomic.Pointer[msNode[T]]
	seq  uint64 // its predecessor's + 1
	val  T
}

// Nodes are allocated several together, in chunks, and a chunk lives as long as
// one of its nodes is referred to. So that a chunk keeps no other alive, the head
// cuts each node that it leaves whose successor is elsewhere. Between neighbours
// of a chunk it cuts every cutEvery-th, as many are alone in their allocation and
// beside one another by chance.
const cutEvery = 16

// newChunk returns n nodes. Behind them is a place that is never used, so that the
// first node of another chunk is not taken for a neighbour of the last.
func newChunk[T any](n int) []msNode[T] { return make([]msNode[T], n+1)[:n] }

// cut ends the chain at h, which the head left for next, if it must. Cutting each
// node would cost a locked store per dequeue.
func (h *msNode[T]) cut(next *msNode[T]) {
	neighbours := uintptr(unsafe.Pointer(next))-uintptr(unsafe.Pointer(h)) == unsafe.Sizeof(*h)
	if !neighbours || h.seq%cutEvery == 0 {
		h.next.Store(h)
	}
}

// msStashes holds chunks that single enqueues take their nodes from, one for each
// P: allocating a node alone is half of what a pair costs (BenchmarkPair is a
// quarter slower then). A node is handed out once. Without rt.Pinned nobody owns a
// stash, and nodes are allocated one by one.
type msStashes[T any] struct {
	perP atomic.Pointer[[]msStash[T]] // nil until prepare
}

// msStash is one P's; only the goroutine that is pinned there may touch it.
type msStash[T any] struct {
	free []msNode[T]
	_    stats.Pad
}

// A stash's chunk has at most chunkNodes nodes and takes at most chunkBytes. With
// fewer than fewNodes, the place behind them is too much of a waste.
const (
	chunkNodes = 15
	chunkBytes = 512
	fewNodes   = 7
)

func nodesPerChunk[T any]() int {
	return min(chunkNodes, chunkBytes/int(unsafe.Sizeof(msNode[T]{}))-1)
}

// prepare makes the stashes. A queue of few values does without.
func (s *msStashes[T]) prepare() {
	if rt.Pinned && nodesPerChunk[T]() >= fewNodes && s.perP.Load() == nil {
		s.make(nil)
	}
}

func (s *msStashes[T]) make(old *[]msStash[T]) {
	perP := make([]msStash[T], runtime.GOMAXPROCS(0))
	s.perP.CompareAndSwap(old, &perP) // what is left in the old ones is garbage
}

// node returns a new node that holds v.
func (s *msStashes[T]) node(v T) *msNode[T] {
	perP := s.perP.Load()
	if perP == nil {
		return &msNode[T]{val: v}
	}
	if p := rt.Pin(); p < len(*perP) {
		if stash := &(*perP)[p]; len(stash.free) > 0 {
			n := &stash.free[0]
			stash.free = stash.free[1:]
			rt.Unpin()
			n.val = v
			return n
		}
	}
	rt.Unpin()
	return s.nodeSlow(perP, v)
}

// nodeSlow fills the stash with a new chunk.
func (s *msStashes[T]) nodeSlow(perP *[]msStash[T], v T) *msNode[T] {
	chunk := newChunk[T](nodesPerChunk[T]())
	n := &chunk[0]
	n.val = v
	p := rt.Pin()
	known := p < len(*perP)
	if known {
		(*perP)[p].free = chunk[1:]
	}
	rt.Unpin()
	if !known { // GOMAXPROCS was raised
		s.make(perP)
	}
	return n
}

// nodesTogether is how many nodes of a batch are allocated at once, and hence how
// many one that is still referred to keeps alive: also the dummy of an empty queue.
// They take at most bytesTogether; nodes of large values are allocated one by one.
const (
	nodesTogether = 64
	bytesTogether = 8 << 10
)

// chain returns the ends of a chain of new nodes that hold vs.
func (s *msStashes[T]) chain(vs []T) (first, last *msNode[T]) {
	add := func(n *msNode[T]) {
		if last == nil {
			first = n
		} else {
			last.next.Store(n)
		}
		last = n
	}
	most := min(nodesTogether, bytesTogether/int(unsafe.Sizeof(msNode[T]{}))-1)
	for most >= fewNodes && len(vs) >= fewNodes {
		nodes := newChunk[T](min(len(vs), most))
		for i := range nodes {
			nodes[i].val = vs[i]
			add(&nodes[i])
		}
		vs = vs[len(nodes):]
	}
	for _, v := range vs {
		add(s.node(v))
	}
	return first, last
}

// forget clears the values of a chain that was not linked: the chunk of a node may
// live on.
func forget[T any](first, last *msNode[T]) {
	for n := first; ; n = n.next.Load() {
		var zero T
		n.val = zero
		if n == last {
			return
		}
	}
}
