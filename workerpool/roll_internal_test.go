package workerpool

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A worker is on the roll from add to remove, with what it notes of its task.
func TestRoll(t *testing.T) {
	var r roll[int]
	require.True(t, r.empty())
	require.Nil(t, r.self(), "nobody is bound")
	a, b := new(worker[int]), new(worker[int])
	r.add(a)
	r.add(b)
	require.Empty(t, r.running())
	a.begin("a", nil, 1)
	b.begin("b", nil, 2)
	rs := r.running()
	require.Len(t, rs, 2)
	require.Equal(t, "a", rs[0].task)
	require.Equal(t, "b", rs[1].task)
	r.remove(a)
	require.Len(t, r.running(), 1)
	require.False(t, r.empty())
	r.remove(b)
	require.True(t, r.empty())
	require.Empty(t, r.goroutines)
}

// A goroutine is the one that was bound last; a submitter that runs its own task in a
// task of the pool is bound on top of that one's worker, which own finds below it.
func TestRollBindsGoroutines(t *testing.T) {
	var r roll[int]
	w, caller, stranger := new(worker[int]), &worker[int]{caller: true}, &worker[int]{caller: true}
	r.add(w)
	r.bind(w)
	require.Same(t, w, r.self())
	require.True(t, r.inside())
	r.bind(caller)
	require.Same(t, caller, r.self())
	require.Same(t, w, r.self().own())
	require.True(t, r.inside())
	var other sync.WaitGroup
	other.Go(func() {
		if r.self() != nil || r.inside() {
			t.Error("another goroutine was taken for a bound one")
		}
		r.bind(stranger)
		if r.self() != stranger || r.inside() {
			t.Error("a submitter outside of the pool is none of its workers")
		}
		r.unbind(stranger)
	})
	other.Wait()
	r.unbind(caller)
	require.Same(t, w, r.self())
	r.remove(w)
	require.Nil(t, r.self())
	require.Empty(t, r.goroutines)
}
