package workerpool

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

var ringSizes = []int{1, 2, 3, 7, 8, 1000}

// startAt makes an empty ring as if t tasks had passed through it. t must be a
// multiple of the ring's size.
func (r *ring[T]) startAt(t uint64) {
	r.head.Store(t)
	r.tail.Store(t)
	for i := range r.slots {
		r.slots[(t+uint64(i))%r.n].seq.Store(2 * (t + uint64(i)))
	}
}

func evictFrom[T any](r *ring[T]) (T, bool) {
	it, ok := r.evict()
	return it.val, ok
}

func TestRingFillsEmptiesAndWraps(t *testing.T) {
	var clock sampler
	for _, n := range ringSizes {
		// From 0, and just below where the flag bits begin: 2^62 tasks, which take
		// a century at 1 ns each.
		for _, start := range []uint64{0, (ticket/uint64(n) - 12) / uint64(n) * uint64(n)} {
			var r ring[int]
			r.init(n)
			r.startAt(start)
			next, put := 0, 0
			_, ok := r.replace(-1, &clock)
			require.False(t, ok, "not full")
			for round := range 5 {
				for range min(n, n/2+round) {
					require.Equal(t, putOK, r.put(put, 0, &clock, false))
					put++
				}
				if put-next == n {
					require.Equal(t, putFull, r.put(-1, 0, &clock, false))
					old, ok := r.replace(put, &clock)
					require.True(t, ok)
					require.Equal(t, next, old)
					next, put = next+1, put+1
					require.False(t, r.barred())
				}
				require.EqualValues(t, n-(put-next), r.free())
				for next < put {
					v, _, ok := r.take()
					require.True(t, ok)
					require.Equal(t, next, v)
					next++
				}
				_, _, ok := r.take()
				require.False(t, ok)
				require.False(t, r.ready())
				require.EqualValues(t, n, r.free())
			}
		}
	}
}

func TestRingHoldAndClose(t *testing.T) {
	var clock sampler
	for _, n := range ringSizes {
		var r ring[int]
		r.init(n)
		r.hold()
		for i := range n {
			require.Equal(t, putOK, r.put(i, 0, &clock, false), "a held ring accepts")
		}
		require.Equal(t, putFull, r.put(9, 0, &clock, false))
		require.Equal(t, putFull, r.put(9, 0, &clock, true))
		_, _, ok := r.take()
		require.False(t, ok)
		require.False(t, r.ready())
		v, ok := evictFrom(&r)
		require.True(t, ok, "evict does not mind")
		require.Equal(t, 0, v)
		r.close()
		require.Equal(t, putClosed, r.put(9, 0, &clock, false))
		require.Equal(t, putOK, r.put(n, 0, &clock, true), "force does not mind")
		require.Equal(t, putClosed, r.put(9, 0, &clock, false), "still closed")
		taken, put := r.counts()
		require.EqualValues(t, 1, taken)
		require.EqualValues(t, n+1, put)
		r.unhold()
		for i := range n {
			v, _, ok := r.take()
			require.True(t, ok)
			require.Equal(t, i+1, v)
		}
		_, _, ok = r.take()
		require.False(t, ok)
		_, ok = evictFrom(&r)
		require.False(t, ok)
	}
}

// Nothing is lost, doubled or reordered between many producers and consumers, and
// nothing is accepted after close.
func TestRingUnderStress(t *testing.T) {
	var clock sampler
	for _, procs := range []int{1, 2, 8} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		for _, n := range ringSizes {
			var r ring[[2]int]
			r.init(n)
			r.startAt(1 << 40 / uint64(n) * uint64(n))
			const producers, each = 3, 2000
			var closed atomic.Bool
			var accepted, taken, evicted atomic.Int64
			var in, out sync.WaitGroup
			for k := range producers {
				in.Go(func() {
					for i := 0; i < each; {
						switch r.put([2]int{k, i}, 0, &clock, false) {
						case putOK:
							accepted.Add(1)
							i++
						case putFull:
							runtime.Gosched()
						case putClosed:
							return
						}
					}
				})
			}
			for k := range 3 {
				out.Go(func() {
					var last [producers]int
					for {
						done := closed.Load()
						var v [2]int
						var ok bool
						if k == 2 {
							v, ok = evictFrom(&r)
						} else {
							v, _, ok = r.take()
						}
						switch {
						case ok:
							if v[1] < last[v[0]] {
								t.Errorf("producer %d: %d after %d", v[0], v[1], last[v[0]])
							}
							last[v[0]] = v[1]
							if k == 2 {
								evicted.Add(1)
							} else {
								taken.Add(1)
							}
						case done:
							return
						default:
							runtime.Gosched()
						}
						if k == 0 && taken.Load() == each {
							r.close()
						}
						if k == 1 && taken.Load()%64 == 0 {
							r.hold()
							r.unhold()
						}
					}
				})
			}
			in.Wait()
			closed.Store(true)
			out.Wait()
			require.Equal(t, accepted.Load(), taken.Load()+evicted.Load())
			got, put := r.counts()
			require.Equal(t, got, put)
		}
	}
}

type ringOp struct {
	kind  byte // p put, t take, c close
	value int
}

type ringResult struct {
	value int
	ok    bool
	put   putResult
}

// ringModel is a bounded FIFO with close. A take may find nothing although a value
// was put, while a producer is between its ticket and its slot, and so may a put
// find no room while a consumer is between: so "full" and "empty" are always
// allowed, but values come in order, once, within the bound, none after close.
func ringModel(n int) porcupine.Model {
	type state struct {
		queue  string // one byte per value
		closed bool
	}
	return porcupine.Model{
		Init: func() any { return state{} },
		Step: func(s, in, out any) (bool, any) {
			st, op, res := s.(state), in.(ringOp), out.(ringResult)
			switch op.kind {
			case 'c':
				st.closed = true
				return true, st
			case 'p':
				switch res.put {
				case putClosed:
					return st.closed, st
				case putFull:
					return true, st
				}
				if st.closed || len(st.queue) >= n {
					return false, st
				}
				st.queue += string([]byte{byte(op.value)})
				return true, st
			}
			if !res.ok {
				return true, st
			}
			if st.queue == "" || st.queue[0] != byte(res.value) {
				return false, st
			}
			st.queue = st.queue[1:]
			return true, st
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprint(in, out) },
	}
}

func TestRingIsLinearizable(t *testing.T) {
	var clock sampler
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	for _, n := range []int{1, 2, 3} {
		for range rounds {
			var r ring[int]
			r.init(n)
			var mu sync.Mutex
			var history []porcupine.Operation
			base := time.Now()
			var all sync.WaitGroup
			for client := range 4 {
				all.Go(func() {
					var mine []porcupine.Operation
					for i := range 12 {
						op, res := ringOp{kind: 'p', value: client*16 + i + 1}, ringResult{}
						if client >= 2 {
							op.kind = 't'
						}
						if client == 0 && i == 10 {
							op.kind = 'c'
						}
						call := int64(time.Since(base))
						switch op.kind {
						case 'p':
							res.put = r.put(op.value, 0, &clock, false)
						case 't':
							res.value, _, res.ok = r.take()
						case 'c':
							r.close()
						}
						mine = append(mine, porcupine.Operation{ClientId: client, Input: op, Call: call, Output: res, Return: int64(time.Since(base))})
						if i%3 == 0 {
							runtime.Gosched()
						}
					}
					mu.Lock()
					history = append(history, mine...)
					mu.Unlock()
				})
			}
			all.Wait()
			if res := porcupine.CheckOperationsTimeout(ringModel(n), history, time.Minute); res != porcupine.Ok {
				t.Fatalf("ring of %d is not linearizable (%v): %v", n, res, history)
			}
		}
	}
}

// The spill keeps the order over its chunks and lets go of what it gave out.
func TestSpill(t *testing.T) {
	var s spill[*int]
	next, put := 0, 0
	for _, n := range []int{1, 127, 128, 129, 500, 0} {
		for range n {
			v := put
			s.push(item[*int]{val: &v})
			put++
		}
		for range n/2 + 1 {
			if s.len == 0 {
				break
			}
			require.Equal(t, next, *s.peek().val)
			require.Equal(t, next, *s.pop().val)
			next++
		}
	}
	for s.len > 0 {
		require.Equal(t, next, *s.pop().val)
		next++
	}
	require.Equal(t, put, next)
	require.Nil(t, s.head)
	require.Nil(t, s.tail)
	for _, it := range s.spare.items {
		require.Nil(t, it.val)
	}
}
