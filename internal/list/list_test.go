package list

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type item struct {
	id   int
	node Node[*item]
}

func newItem(id int) *item {
	it := &item{id: id}
	it.node.Value = it
	return it
}

// The model is a slice: every operation in any order leaves the same sequence,
// forwards and backwards.
func TestAnyOrderOfOperations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l List[*item]
		var model []*item
		var out []*item
		for i := range 8 {
			out = append(out, newItem(i))
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) { check(t, &l, model, out) },
			"PushBack": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip("all stand in it")
				}
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				l.PushBack(&out[i].node)
				model = append(model, out[i])
				out = slices.Delete(out, i, i+1)
			},
			"PushFront": func(t *rapid.T) {
				if len(out) == 0 {
					t.Skip("all stand in it")
				}
				i := rapid.IntRange(0, len(out)-1).Draw(t, "which")
				l.PushFront(&out[i].node)
				model = slices.Insert(model, 0, out[i])
				out = slices.Delete(out, i, i+1)
			},
			"Remove": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				l.Remove(&model[i].node)
				l.Remove(&model[i].node) // the second does nothing
				out = append(out, model[i])
				model = slices.Delete(model, i, i+1)
			},
			"PopFront": func(t *rapid.T) {
				it := l.PopFront()
				if len(model) == 0 {
					require.Nil(t, it)
					return
				}
				require.Same(t, model[0], it)
				model, out = model[1:], append(out, it)
			},
		})
	})
}

func check(t *rapid.T, l *List[*item], model, out []*item) {
	require.Equal(t, len(model), l.Len())
	require.Equal(t, model, slices.AppendSeq(model[:0:0], l.All()))
	var back []*item
	for n := l.tail; n != nil; n = n.prev {
		back = append(back, n.Value)
	}
	slices.Reverse(back)
	require.Equal(t, model, append(model[:0:0], back...))
	if len(model) > 0 {
		require.Same(t, model[0], l.Front())
		require.Same(t, model[len(model)-1], l.Back())
	} else {
		require.Nil(t, l.Front())
		require.Nil(t, l.Back())
	}
	for _, it := range model {
		require.True(t, it.node.Linked())
	}
	for _, it := range out {
		require.False(t, it.node.Linked())
	}
}

func TestALoopMayRemoveWhereItIs(t *testing.T) {
	var l List[*item]
	for i := range 5 {
		l.PushBack(&newItem(i).node)
	}
	var seen []int
	for it := range l.All() {
		seen = append(seen, it.id)
		if it.id%2 == 0 {
			l.Remove(&it.node)
		}
		if it.id == 3 {
			break
		}
	}
	require.Equal(t, []int{0, 1, 2, 3}, seen)
	require.Equal(t, 3, l.Len())
}

func TestANodeStandsInOneListOnly(t *testing.T) {
	var a, b List[*item]
	it := newItem(1)
	a.PushBack(&it.node)
	require.PanicsWithValue(t, "list: the node stands in a list", func() { b.PushBack(&it.node) })
	require.PanicsWithValue(t, "list: the node stands in a list", func() { a.PushFront(&it.node) })
	require.Equal(t, 1, a.Len())
	require.Zero(t, b.Len())
}

func TestNothingIsAllocated(t *testing.T) {
	var l List[*item]
	it := newItem(1)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		l.PushBack(&it.node)
		for range l.All() {
		}
		l.PopFront()
	}))
}
