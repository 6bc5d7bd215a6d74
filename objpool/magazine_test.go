package objpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMagazineIsAStackThatCounts(t *testing.T) {
	m := &magazine[int]{slots: new([magSize]int), capacity: magSize}
	for i := range magSize {
		m.push(m.state, i)
	}
	require.Equal(t, magSize, m.len())
	require.Equal(t, []int{0, 1, 2}, m.spill(nil, 3), "the oldest")
	for i := magSize - 1; i >= 3; i-- {
		require.Equal(t, i, m.pop(m.state))
	}
	require.Zero(t, m.len())
	require.EqualValues(t, magSize-3, m.state>>lenBits, "pops")
	require.Zero(t, *m.slots, "nothing is kept alive")
	m.fill([]int{7, 8})
	require.Equal(t, 8, m.pop(m.state))
}

func TestMagazineKnowsWhichWayItsOwnerGoes(t *testing.T) {
	m := &magazine[int]{slots: new([magSize]int), capacity: magSize, limit: magSize}
	visit := func() { m.seen = m.state }
	put := func(n int) {
		for range n {
			m.push(m.state, 1)
		}
	}
	take := func(n int) {
		for range n {
			m.pop(m.state)
		}
	}
	visit()
	put(8)
	require.True(t, m.onlyPut())
	require.False(t, m.onlyTaken())
	visit()
	put(7)
	require.False(t, m.onlyPut(), "not for half a magazine")
	visit()
	take(8)
	require.True(t, m.onlyTaken())
	put(1)
	require.False(t, m.onlyTaken())
	require.False(t, m.onlyPut())
	take(8)
	visit()
	take(0)
	require.False(t, m.onlyTaken(), "nothing happened")

	m.limit = 0
	for _, want := range []int{1, 2, 4, 8, 12, 12} {
		require.Equal(t, want, m.raise(12))
	}
}
