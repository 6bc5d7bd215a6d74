//go:build chaos

package lockfree

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// freezer stops, for good, the first goroutine that comes to a point after some
// others have passed it. Everybody else yields at random.
type freezer struct {
	at      point
	skip    atomic.Int64
	frozen  chan struct{} // closed when a goroutine is frozen
	release chan struct{}
}

func freezeAt(p point, skip int) *freezer {
	f := &freezer{at: p, frozen: make(chan struct{}), release: make(chan struct{})}
	f.skip.Store(int64(skip))
	hook := func(p point) {
		if p == f.at && f.skip.Add(-1) == -1 {
			close(f.frozen)
			<-f.release
			return
		}
		if rand.Uint32()&7 == 0 {
			runtime.Gosched()
		}
	}
	onStep.Store(&hook)
	return f
}

func (f *freezer) thaw() {
	onStep.Store(nil)
	close(f.release)
}

// scenario runs goroutines on q until all but the frozen one are done. It returns
// what was enqueued and dequeued, and a func that waits for the frozen one too.
type scenario struct {
	name string
	run  func(t *testing.T, q Interface[int], f *freezer) (enqueued, dequeued *atomic.Int64, rest *sync.WaitGroup)
}

// others waits until all of the goroutines but at most one have finished.
func others(t *testing.T, what string, running *atomic.Int64, f *freezer) {
	t.Helper()
	deadline := time.Now().Add(hang)
	for {
		n := running.Load()
		if n == 0 {
			return
		}
		if n == 1 {
			select {
			case <-f.frozen:
				return
			default:
			}
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%s: %d goroutines do not finish:\n%s", what, n, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(50 * time.Microsecond) // real time: polls, with a deadline
	}
}

var scenarios = []scenario{
	// Non-blocking operations: each goroutine does a fixed number.
	{"nonblocking", func(t *testing.T, q Interface[int], f *freezer) (enq, deq *atomic.Int64, rest *sync.WaitGroup) {
		enq, deq, rest = new(atomic.Int64), new(atomic.Int64), new(sync.WaitGroup)
		var running atomic.Int64
		for g := range 4 {
			running.Add(1)
			rest.Go(func() {
				defer running.Add(-1)
				rng := rand.New(rand.NewPCG(uint64(g), 3))
				buf := make([]int, 3)
				for range 150 {
					switch rng.IntN(9) {
					case 6:
						if b, ok := q.(*Bounded[int]); ok {
							n, err := b.EnqueueDropOldest(1)
							deq.Add(int64(n))
							if err == nil {
								enq.Add(1)
							}
						}
					case 7, 8:
						if v, ok := q.Peek(); ok && v != 1 && v != 0 {
							t.Errorf("peeked %d", v)
						}
					case 0, 1:
						if q.TryEnqueue(1) == nil {
							enq.Add(1)
						}
					case 2:
						n, _ := q.TryEnqueueBatch(buf)
						enq.Add(int64(n))
					case 3, 4:
						if _, ok := q.TryDequeue(); ok {
							deq.Add(1)
						}
					case 5:
						deq.Add(int64(q.TryDequeueBatch(buf)))
						q.Stats()
					}
				}
			})
		}
		others(t, "nonblocking", &running, f)
		return
	}},
	// Waiting: producers and consumers of the same number of values; the consumers
	// end when the queue is closed and drained.
	{"waiting", func(t *testing.T, q Interface[int], f *freezer) (enq, deq *atomic.Int64, rest *sync.WaitGroup) {
		enq, deq, rest = new(atomic.Int64), new(atomic.Int64), new(sync.WaitGroup)
		ctx := context.Background()
		var producing, consuming atomic.Int64
		for range 3 {
			producing.Add(1)
			rest.Go(func() {
				defer producing.Add(-1)
				for i := range 40 {
					if b, ok := q.(*Bounded[int]); ok {
						if b.Enqueue(ctx, i) == nil {
							enq.Add(1)
						}
					} else if i%2 == 0 {
						n, _ := q.TryEnqueueBatch([]int{i, i, i})
						enq.Add(int64(n))
					} else if q.TryEnqueue(i) == nil {
						enq.Add(1)
					}
					if rand.IntN(4) == 0 {
						time.Sleep(time.Microsecond) // real time: slows the producer
					}
				}
			})
			consuming.Add(1)
			rest.Go(func() {
				defer consuming.Add(-1)
				for range q.All(ctx) {
					deq.Add(1)
				}
			})
		}
		others(t, "producers", &producing, f)
		// All that was enqueued must come out, but for what the frozen one holds.
		held := int64(0)
		select {
		case <-f.frozen:
			held = 1
		default:
		}
		deadline := time.Now().Add(hang)
		for deq.Load() < enq.Load()-held {
			select {
			case <-f.frozen: // a consumer, meanwhile
				held = 1
			default:
			}
			if time.Now().After(deadline) {
				buf := make([]byte, 1<<20)
				t.Fatalf("%d of %d values came out\n%s", deq.Load(), enq.Load(), buf[:runtime.Stack(buf, true)])
			}
			time.Sleep(50 * time.Microsecond) // real time: polls, with a deadline
		}
		// If one Close is frozen before it has woken the consumers, another does it.
		for range 2 {
			rest.Go(func() { q.Close() })
		}
		others(t, "consumers", &consuming, f)
		return
	}},
}

// A producer frozen in the middle of its signal does not take the waiter's place in
// the count: the next producer signals it.
func TestFrozenSignallerIsDoneWithout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int]()
		got := make(chan int, 1)
		go func() {
			v, _ := q.Dequeue(t.Context())
			got <- v
		}()
		synctest.Wait()
		f := freezeAt(wakeOne, 0)
		go func() { _ = q.Enqueue(1) }()
		synctest.Wait()
		<-f.frozen
		require.NoError(t, q.Enqueue(1))
		synctest.Wait()
		require.Len(t, got, 1)
		f.thaw()
	})
}

// A waiter frozen with its signal in hand does not keep a batch from the others.
func TestFrozenWaiterLeavesTheBatchToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[int]()
		got := make(chan int, 2)
		for range 2 {
			go func() {
				v, _ := q.Dequeue(t.Context())
				got <- v
			}()
		}
		synctest.Wait()
		f := freezeAt(waitWoken, 0)
		_, err := q.TryEnqueueBatch([]int{1, 1})
		require.NoError(t, err)
		synctest.Wait()
		<-f.frozen
		require.Len(t, got, 1)
		f.thaw()
		synctest.Wait()
		require.Len(t, got, 2)
	})
}

// TestFrozenGoroutineStopsNobody freezes a goroutine at every step of every
// operation, early and late. The others must finish all the same, and nothing may
// be lost or come twice when it thaws.
func TestFrozenGoroutineStopsNobody(t *testing.T) {
	for p := range numPoints {
		// Who meets whom is chance: a point where goroutines have to meet may need another
		// round (waitSettling in one of twenty runs).
		reached := false
		for round := 0; round == 0 || !reached && !t.Failed() && round < 50; round++ {
			for _, k := range Kinds[int](0) {
				for _, s := range scenarios {
					t.Run(fmt.Sprintf("%d/%s/%s", p, k.Name, s.name), func(t *testing.T) {
						for _, skip := range []int{0, 3, 17, 60} {
							reached = frozen(t, k.Make(), s, freezeAt(p, skip)) || reached
						}
					})
				}
			}
		}
		if !reached {
			t.Errorf("point %d was never reached", p)
		}
	}
}

// frozen runs s on q, which nobody has used, until f's goroutine alone is left, and then to
// its end. It reports whether f froze one.
func frozen(t *testing.T, q Interface[int], s scenario, f *freezer) (was bool) {
	enq, deq, rest := s.run(t, q, f)
	select {
	case <-f.frozen:
		was = true
	default:
	}
	f.thaw()
	done := make(chan struct{})
	go func() { rest.Wait(); close(done) }()
	finishes(t, done, "the thawed goroutine")
	NobodyLeft(t, q)
	for range q.Drain() {
		deq.Add(1)
	}
	if enq.Load() != deq.Load() {
		t.Fatalf("%d values enqueued, %d dequeued", enq.Load(), deq.Load())
	}
	if s := q.Stats(); s.Len != 0 || s.Enqueued != uint64(enq.Load()) || s.Dequeued+s.Dropped != s.Enqueued {
		t.Fatalf("%d values: %+v", enq.Load(), s)
	}
	return was
}
