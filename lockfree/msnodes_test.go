package lockfree

import (
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/rt"
)

// One node of a chunk keeps the whole chunk. It must keep no more than that,
// whoever's nodes came in between.
func TestChunkKeepsNoOther(t *testing.T) {
	for name, chunk := range map[string]func() []msNode[int]{
		"chunks": func() []msNode[int] { return newChunk[int](chunkNodes) },
		"alone":  func() []msNode[int] { return make([]msNode[int], 1) },
	} {
		for _, turns := range []int{1, 2, 3} {
			q := NewMS[int]()
			free := make([][]msNode[int], turns)
			var stale []*msNode[int]
			before := heap()
			for i := range scale(30_000, 100_000, 1_000_000) {
				nodes := &free[i%turns]
				if len(*nodes) == 0 {
					*nodes = chunk()
				}
				n := &(*nodes)[0]
				*nodes = (*nodes)[1:]
				require.NoError(t, q.q.link(n, n, 1))
				if i < 100 {
					stale = append(stale, n)
				}
				_, ok := q.TryDequeue()
				require.True(t, ok)
			}
			require.Less(t, heap()-before, int64(100<<10), "%s, %d in turn", name, turns)
			runtime.KeepAlive(stale)
			runtime.KeepAlive(q)
		}
	}
}

// Nodes that are beside one another by chance, each alone in its allocation, keep
// no more than cutEvery of them alive.
func TestNeighboursAreCutNowAndThen(t *testing.T) {
	q := NewMS[int]()
	nodes := make([]msNode[int], 10*cutEvery)
	for i := range nodes {
		require.NoError(t, q.q.link(&nodes[i], &nodes[i], 1))
	}
	for range q.Drain() {
	}
	for i := range nodes[:len(nodes)-cutEvery] {
		n, reach := &nodes[i], 1
		for ; n.next.Load() != n; n = n.next.Load() {
			reach++
		}
		require.LessOrEqual(t, reach, cutEvery)
	}
}

// The place behind a chunk's last node is never a node: it would be a neighbour.
func TestGapBehindAChunk(t *testing.T) {
	for _, n := range []int{1, chunkNodes, nodesTogether} {
		chunk := newChunk[int](n)
		require.Len(t, chunk, n)
		require.Greater(t, cap(chunk), n)
	}
}

// A value that Close refused is not kept by the chunk of its node.
func TestRefusedValueIsNotKept(t *testing.T) {
	q := NewMS[*heavy]()
	q.q.stashes.prepare()
	require.NoError(t, q.Enqueue(nil))
	q.Close()
	ps := make([]weak.Pointer[heavy], 100)
	for i := range ps {
		v := new(heavy)
		ps[i] = weak.Make(v)
		if i%2 == 0 {
			require.Equal(t, ErrClosed, q.Enqueue(v))
		} else {
			_, err := q.TryEnqueueBatch([]*heavy{v, v})
			require.Equal(t, ErrClosed, err)
		}
	}
	require.Zero(t, alive(ps))
	runtime.KeepAlive(q)
}

// A P that came after the stashes were made gets one.
func TestStashesFollowGOMAXPROCS(t *testing.T) {
	if !rt.Pinned {
		t.Skip("this build allocates nodes one by one")
	}
	var s msStashes[int]
	s.perP.Store(&[]msStash[int]{})
	require.Equal(t, 1, s.node(1).val)
	require.Len(t, *s.perP.Load(), runtime.GOMAXPROCS(0))
	for range 100 {
		s.node(1)
	}
	free := 0
	for _, stash := range *s.perP.Load() {
		free += len(stash.free)
	}
	require.Positive(t, free)
}

// Values so large that a chunk would be a waste have nodes of their own.
func TestLargeValuesHaveNoStash(t *testing.T) {
	var s msStashes[[64]byte]
	s.prepare()
	require.Nil(t, s.perP.Load())
	var huge msStashes[[4096]byte]
	huge.prepare()
	require.Nil(t, huge.perP.Load())
	require.EqualValues(t, 7, huge.node([4096]byte{7}).val[0])
}
