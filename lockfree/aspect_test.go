package lockfree_test

import (
	"cmp"
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/poundlock/poundlock/lockfree"
)

// The aspect checker decides in O(n log n), for histories of millions of
// operations, the violations of a queue (Henzinger, Sezgin and Vafeiadis,
// Aspect-Oriented Linearizability Proofs, CONCUR 2013): a value that comes out
// without having gone in or before, one that comes out twice, two that come out in
// the wrong order, and "empty" while at every moment of the call some value was in
// the queue for sure.
type (
	// life is one value: when its enqueue and its dequeue began and ended.
	life struct{ enqCall, enqRet, deqCall, deqRet int64 }
	span struct{ from, to int64 }
)

const never = math.MaxInt64

// aspects returns what is wrong with the lives of values 0..len-1 and the calls
// that found the queue empty; "" if nothing is.
func aspects(lives []life, empties []span) string {
	for i := range lives {
		if v := &lives[i]; v.deqRet < v.enqCall {
			return "fresh: a value was dequeued before it was enqueued"
		}
	}
	// Order: a was enqueued before b, b dequeued before a.
	byRet := slices.Clone(lives)
	slices.SortFunc(byRet, func(a, b life) int { return cmp.Compare(a.enqRet, b.enqRet) })
	byCall := slices.Clone(lives)
	slices.SortFunc(byCall, func(a, b life) int { return cmp.Compare(a.enqCall, b.enqCall) })
	latest, i := int64(math.MinInt64), 0
	for _, b := range byCall {
		for ; i < len(byRet) && byRet[i].enqRet < b.enqCall; i++ {
			latest = max(latest, byRet[i].deqCall)
		}
		if latest > b.deqRet {
			return "order: a value was overtaken by one enqueued after it"
		}
	}
	// Witnessed: merge the spans in which values were in the queue for sure.
	var sure []span
	for _, v := range byRet {
		if v.enqRet < v.deqCall {
			if n := len(sure); n > 0 && v.enqRet <= sure[n-1].to {
				sure[n-1].to = max(sure[n-1].to, v.deqCall)
			} else {
				sure = append(sure, span{v.enqRet, v.deqCall})
			}
		}
	}
	for _, e := range empties {
		j, _ := slices.BinarySearchFunc(sure, e.from, func(s span, x int64) int { return cmp.Compare(s.from, x) })
		if j > 0 && sure[j-1].to > e.to && sure[j-1].from < e.from {
			return "empty: the queue was called empty while it was not"
		}
	}
	return ""
}

// observe runs g goroutines that enqueue and dequeue n values in all in random
// ways, and returns the history.
func observe(t *testing.T, q lockfree.Interface[int32], g, n int) (lives []life, empties []span) {
	base := time.Now()
	now := func() int64 { return int64(time.Since(base)) }
	lives = make([]life, n)
	for i := range lives {
		lives[i].deqCall, lives[i].deqRet = never, never
	}
	seen := make([]bool, n) // written by the one dequeuer of the value
	perG := make([][]span, g)
	var repeated sync.Map
	dequeued := func(v int32, call, ret int64) {
		if v < 0 || int(v) >= n || seen[v] {
			repeated.Store(v, true)
			return
		}
		seen[v] = true
		lives[v].deqCall, lives[v].deqRet = call, ret
	}
	var wg sync.WaitGroup
	for id := range g {
		wg.Go(func() {
			next, last := n*id/g, n*(id+1)/g
			buf := make([]int32, 5)
			ctx := context.Background()
			x := uint64(id)*0x9e3779b97f4a7c15 + 1
			for i := 0; next < last; i++ {
				x ^= x << 13
				x ^= x >> 7
				x ^= x << 17
				switch {
				case x%16 < 6:
					call := now()
					err := q.TryEnqueue(int32(next))
					if err == nil {
						lives[next].enqCall, lives[next].enqRet = call, now()
						next++
					}
				case x%16 == 6:
					k := min(5, last-next)
					for j := range k {
						buf[j] = int32(next + j)
					}
					call := now()
					k, _ = q.TryEnqueueBatch(buf[:k])
					ret := now()
					for j := range k {
						lives[next+j].enqCall, lives[next+j].enqRet = call, ret
					}
					next += k
				case x%16 == 8:
					call := now()
					k := q.TryDequeueBatch(buf)
					ret := now()
					for _, v := range buf[:k] {
						dequeued(v, call, ret)
					}
					if k == 0 {
						perG[id] = append(perG[id], span{call, ret})
					}
				case x%16 == 9 && x>>8%16 == 0:
					ctx, cancel := context.WithTimeout(ctx, 20*time.Microsecond)
					call := now()
					if v, err := q.Dequeue(ctx); err == nil {
						dequeued(v, call, now())
					}
					cancel()
				default:
					call := now()
					v, ok := q.TryDequeue()
					ret := now()
					if ok {
						dequeued(v, call, ret)
					} else {
						perG[id] = append(perG[id], span{call, ret})
					}
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	lockfree.Finishes(t, done, "the history")
	call := now()
	for v := range q.Drain() {
		dequeued(v, call, now())
		call = now()
	}
	repeated.Range(func(v, _ any) bool {
		t.Errorf("value %v was dequeued twice, or never enqueued", v)
		return true
	})
	for v, ok := range seen {
		if !ok {
			t.Errorf("value %d was lost", v)
			break
		}
	}
	return lives, slices.Concat(perG...)
}

// TestAspects runs the aspect checker on long histories: at each GOMAXPROCS on at
// least 800,000 operations, and with POUNDLOCK_LONG=1 on ten million.
func TestAspects(t *testing.T) {
	procs := []int{1, 2, 8}
	checked := map[int]int{} // operations by GOMAXPROCS
	for _, size := range []string{"tiny", "usual"} {
		for _, k := range lockfree.Kinds[int32](0) {
			if size == "usual" {
				switch k.Name {
				case "Queue":
					k.Make = func() lockfree.Interface[int32] { return lockfree.New[int32]() }
				case "Bounded":
					k.Make = func() lockfree.Interface[int32] { return lockfree.Must(lockfree.NewBounded[int32](500)) }
				default:
					continue
				}
			}
			t.Run(k.Name+"/"+size, func(t *testing.T) {
				lockfree.WithProcs(t, procs, func(t *testing.T) {
					ops := 0
					for range lockfree.Scale(1, 2, 10) {
						n := lockfree.Scale(4000, 40_000, 100_000)
						q := k.Make()
						lives, empties := observe(t, q, 8, n)
						if bad := aspects(lives, empties); bad != "" {
							t.Fatal(bad)
						}
						s := q.Stats()
						if s.Enqueued != uint64(n) || s.Dequeued != uint64(n) || s.Len != 0 || q.Len() != 0 {
							t.Fatalf("after %d values: %+v", n, s)
						}
						ops += 2*n + len(empties)
						runtime.GC()
					}
					t.Logf("%d operations", ops)
					checked[runtime.GOMAXPROCS(0)] += ops
				})
			})
		}
	}
	for _, p := range procs {
		t.Logf("%d operations at GOMAXPROCS %d", checked[p], p)
		if want := lockfree.Scale(40_000, 800_000, 10_000_000); checked[p] < want && !t.Failed() && lockfree.Complete() {
			t.Errorf("fewer than the %d that are due", want)
		}
	}
}

// TestAspectsReject makes sure that the checker sees each violation.
func TestAspectsReject(t *testing.T) {
	good := []life{{0, 1, 4, 5}, {2, 3, 6, 7}}
	if bad := aspects(good, []span{{8, 9}}); bad != "" {
		t.Errorf("a right history is called %s", bad)
	}
	if aspects([]life{{5, 6, 1, 2}}, nil) == "" {
		t.Error("fresh: not seen")
	}
	if aspects([]life{{0, 1, 6, 7}, {2, 3, 4, 5}}, nil) == "" {
		t.Error("order: not seen")
	}
	if aspects([]life{{0, 1, never, never}, {2, 3, 4, 5}}, nil) == "" {
		t.Error("order with a value that stays: not seen")
	}
	if aspects([]life{{0, 1, 5, 6}, {2, 3, 9, 10}}, []span{{4, 8}}) == "" {
		t.Error("empty: not seen")
	}
	if bad := aspects([]life{{0, 1, 5, 6}, {6, 7, 9, 10}}, []span{{4, 8}}); bad != "" {
		t.Errorf("empty between two values is called %s", bad)
	}
}
