package lockfree

import (
	"runtime"
	"testing"
	"unsafe"
	"weak"

	"github.com/stretchr/testify/require"
)

type heavy struct{ _ [1024]byte }

// alive returns how many of ps are still reachable.
func alive(ps []weak.Pointer[heavy]) int {
	for range 3 {
		runtime.GC()
	}
	n := 0
	for _, p := range ps {
		if p.Value() != nil {
			n++
		}
	}
	return n
}

// TestNothingKept looks at 100 values after they left the queue, in several ways,
// while the queue lives on: none may be reachable.
func TestNothingKept(t *testing.T) {
	for _, k := range RoomyKinds[*heavy](0) {
		for name, take := range map[string]func(q Interface[*heavy]){
			"dequeued": func(q Interface[*heavy]) {
				for range 100 {
					q.TryDequeue()
				}
			},
			"batch": func(q Interface[*heavy]) {
				buf := make([]*heavy, 30)
				for q.TryDequeueBatch(buf) > 0 {
				}
			},
			"drained": func(q Interface[*heavy]) {
				for range q.Drain() {
				}
			},
		} {
			t.Run(k.Name+"/"+name, func(t *testing.T) {
				q := k.Make()
				ps := make([]weak.Pointer[heavy], 100)
				for i := range 50 {
					v := new(heavy)
					ps[i] = weak.Make(v)
					require.NoError(t, q.TryEnqueue(v))
				}
				batch := make([]*heavy, 50)
				for i := range batch {
					batch[i] = new(heavy)
					ps[50+i] = weak.Make(batch[i])
				}
				_, err := q.TryEnqueueBatch(batch)
				require.NoError(t, err)
				clear(batch)
				require.Equal(t, 100, alive(ps), "in the queue")
				take(q)
				require.Zero(t, alive(ps), "out of the queue")
				runtime.KeepAlive(q)
			})
		}
	}
}

// TestBarredValueIsNotKept passes over a producer that has written its value: when
// it comes back and is refused, the slot must not keep the value.
func TestBarredValueIsNotKept(t *testing.T) {
	q := New[*heavy]()
	ps := make([]weak.Pointer[heavy], 100)
	for i := range ps {
		r, at := q.l.ticket()
		_, ok := q.TryDequeue() // passes over the ticket just taken
		require.False(t, ok)
		v := new(heavy)
		ps[i] = weak.Make(v)
		require.False(t, r.put(at, v))
	}
	require.Zero(t, alive(ps))
	require.EqualValues(t, len(ps), q.Stats().Barred)
	require.Zero(t, q.Stats().Enqueued)
	require.EqualValues(t, 1, q.Stats().Rings, "slots that were left are used again")
}

func heap() int64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestBurstReturnsItsMemory puts a million values in and takes them out. What
// stays is about one ring.
func TestBurstReturnsItsMemory(t *testing.T) {
	n := scale(100_000, 1_000_000, 1_000_000)
	for name, q := range map[string]Interface[int]{"Queue": New[int](), "Bounded": Must(NewBounded[int](n)), "MSQueue": NewMS[int]()} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			for i := range n {
				require.NoError(t, q.TryEnqueue(i))
			}
			for range q.Drain() {
			}
			require.Less(t, heap()-before, int64(100<<10))
			runtime.KeepAlive(q)
		})
	}
}

// TestStaleReferenceKeepsNoChain holds a ring or node that the queue left long ago.
func TestStaleReferenceKeepsNoChain(t *testing.T) {
	n := scale(100_000, 1_000_000, 1_000_000)
	t.Run("Queue", func(t *testing.T) {
		q := New[int](WithRings(32, 32))
		before := heap()
		stale := q.l.head.Load()
		for i := range n / 40 {
			vs := make([]int, 40) // more than a ring: each batch appends one
			_, err := q.TryEnqueueBatch(vs)
			require.NoError(t, err)
			require.Equal(t, 40, q.TryDequeueBatch(vs), i)
		}
		require.Greater(t, q.Stats().Rings, uint64(n/100))
		require.Less(t, heap()-before, int64(100<<10))
		runtime.KeepAlive(stale)
		runtime.KeepAlive(q)
	})
	// Whatever the place in the count at which the batches begin. A chunk of pairs
	// fills what is allocated for it, so that the next one may begin where it ends.
	type pair [2]int
	t.Run("MSQueue batches", func(t *testing.T) {
		for lead := range 2 {
			q := NewMS[pair]()
			before := heap()
			var stale *msNode[pair]
			for range lead {
				require.NoError(t, q.Enqueue(pair{}))
			}
			vs := make([]pair, nodesTogether)
			for i := range n / len(vs) {
				_, err := q.TryEnqueueBatch(vs)
				require.NoError(t, err)
				if i == 0 {
					stale = q.q.tail.Load()
				}
				require.Equal(t, len(vs), q.TryDequeueBatch(vs))
			}
			require.Less(t, heap()-before, int64(100<<10), "lead %d", lead)
			runtime.KeepAlive(stale)
			runtime.KeepAlive(q)
		}
	})
	t.Run("MSQueue", func(t *testing.T) {
		q := NewMS[int]()
		before := heap()
		var stale [cutEvery]*msNode[int]
		for i := range n {
			if i < len(stale) {
				stale[i] = q.q.head.Load()
			}
			require.NoError(t, q.Enqueue(i))
			q.TryDequeue()
		}
		require.Less(t, heap()-before, int64(100<<10))
		runtime.KeepAlive(stale)
		runtime.KeepAlive(q)
	})
}

// TestIdleQueueIsSmall holds an idle queue to its bar of 2.5 KiB.
func TestIdleQueueIsSmall(t *testing.T) {
	if raceEnabled || chaotic {
		t.Skip("sizes are for the usual build")
	}
	for name, f := range map[string]func() any{
		"Queue":   func() any { return New[int]() },
		"Bounded": func() any { return Must(NewBounded[int](1 << 20)) },
		"MSQueue": func() any { return NewMS[int]() },
	} {
		var qs [200]any
		before := heap()
		for i := range qs {
			qs[i] = f()
		}
		size := (heap() - before) / int64(len(qs))
		t.Logf("%s: %d bytes", name, size)
		require.Less(t, size, int64(2560), name)
		runtime.KeepAlive(&qs)
	}
}

func TestRingsOfLargeValuesStaySmall(t *testing.T) {
	type large [10 << 10]byte
	q := New[large]()
	for range 100 {
		require.NoError(t, q.Enqueue(large{}))
	}
	r, _ := q.l.back()
	require.LessOrEqual(t, len(r.vals)*int(unsafe.Sizeof(r.vals[0]))+int(r.groups.mask+1)*wordBytes, 64<<10)
	q2 := New[[100 << 10]byte]()
	for i := range 10 {
		require.NoError(t, q2.Enqueue([100 << 10]byte{byte(i)}))
	}
	i := 0
	for v := range q2.Drain() {
		require.EqualValues(t, i, v[0])
		i++
	}
	require.Equal(t, 10, i)
}

// An MSQueue that is empty after a batch of large values keeps one node, and not all that
// were allocated with it.
func TestBatchOfLargeValuesReturnsItsMemory(t *testing.T) {
	type large [64 << 10]byte
	q := NewMS[large]()
	before := heap()
	for range 3 {
		vs := make([]large, nodesTogether)
		for i := range vs {
			vs[i][0] = byte(i)
		}
		_, err := q.EnqueueBatch(vs)
		require.NoError(t, err)
		for i := range vs {
			v, ok := q.TryDequeue()
			require.True(t, ok)
			require.EqualValues(t, i, v[0])
		}
	}
	require.Less(t, heap()-before, int64(256<<10))
	runtime.KeepAlive(q)
}
