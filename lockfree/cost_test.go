package lockfree_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/poundlock/poundlock/lockfree"
)

// subject is one queue under measurement: what is put must come out, the sum says.
type subject struct {
	name string
	make func() (put func(int), get func() (int, bool))
}

var subjects = []subject{
	{"poundlock", func() (func(int), func() (int, bool)) {
		q := lockfree.New[int]()
		return func(v int) { _ = q.Enqueue(v) }, q.TryDequeue
	}},
	{"bounded", func() (func(int), func() (int, bool)) {
		q := lockfree.Must(lockfree.NewBounded[int](1024))
		return func(v int) {
			for q.TryEnqueue(v) != nil {
				runtime.Gosched()
			}
		}, q.TryDequeue
	}},
	{"ms", func() (func(int), func() (int, bool)) {
		q := lockfree.NewMS[int]()
		return func(v int) { _ = q.Enqueue(v) }, q.TryDequeue
	}},
	{"chan", func() (func(int), func() (int, bool)) {
		c := make(chan int, 1024)
		return func(v int) { c <- v }, func() (int, bool) {
			select {
			case v := <-c:
				return v, true
			default:
				return 0, false
			}
		}
	}},
	{"mutexring", func() (func(int), func() (int, bool)) {
		q := new(mutexRing)
		return q.put, q.get
	}},
}

// mutexRing is the plain design: a growing ring buffer under a mutex.
type mutexRing struct {
	mu   sync.Mutex
	buf  []int
	head int
	n    int
}

func (q *mutexRing) put(v int) {
	q.mu.Lock()
	if q.n == len(q.buf) {
		buf := make([]int, max(2*len(q.buf), 32))
		for i := range q.n {
			buf[i] = q.buf[(q.head+i)&(len(q.buf)-1)]
		}
		q.buf, q.head = buf, 0
	}
	q.buf[(q.head+q.n)&(len(q.buf)-1)] = v
	q.n++
	q.mu.Unlock()
}

func (q *mutexRing) get() (int, bool) {
	q.mu.Lock()
	if q.n == 0 {
		q.mu.Unlock()
		return 0, false
	}
	v := q.buf[q.head]
	q.head = (q.head + 1) & (len(q.buf) - 1)
	q.n--
	q.mu.Unlock()
	return v, true
}

// share splits n ops over g goroutines.
func share(n, g, i int) int { return n*(i+1)/g - n*i/g }

func BenchmarkPair(b *testing.B) {
	for _, g := range []int{1, 2, 8} {
		for _, s := range subjects {
			b.Run(fmt.Sprintf("g=%d/%s", g, s.name), func(b *testing.B) {
				b.ReportAllocs()
				put, get := s.make()
				var wg sync.WaitGroup
				for i := range g {
					wg.Go(func() {
						for range share(b.N, g, i) {
							put(1)
							for {
								if _, ok := get(); ok {
									break
								}
								runtime.Gosched()
							}
						}
					})
				}
				wg.Wait()
				if _, ok := get(); ok {
					b.Fatal("a value is left")
				}
			})
		}
	}
}

func BenchmarkPC(b *testing.B) {
	type blocking struct {
		name string
		make func() (put func(int), get func() int)
	}
	ctx := context.Background()
	for _, g := range []int{1, 2, 8, 64} {
		for _, s := range []blocking{
			{"poundlock", func() (func(int), func() int) {
				q := lockfree.New[int]()
				return func(v int) { _ = q.Enqueue(v) }, func() int { v, _ := q.Dequeue(ctx); return v }
			}},
			{"bounded", func() (func(int), func() int) {
				q := lockfree.Must(lockfree.NewBounded[int](1024))
				return func(v int) { _ = q.Enqueue(ctx, v) }, func() int { v, _ := q.Dequeue(ctx); return v }
			}},
			{"chan", func() (func(int), func() int) {
				c := make(chan int, 1024)
				return func(v int) { c <- v }, func() int { return <-c }
			}},
		} {
			b.Run(fmt.Sprintf("g=%d/%s", g, s.name), func(b *testing.B) {
				put, get := s.make()
				var wg sync.WaitGroup
				for i := range g {
					wg.Go(func() {
						for range share(b.N, g, i) {
							put(1)
						}
					})
					wg.Go(func() {
						for range share(b.N, g, i) {
							get()
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

func BenchmarkPingPong(b *testing.B) {
	ctx := context.Background()
	b.Run("poundlock", func(b *testing.B) {
		x, y := lockfree.New[int](), lockfree.New[int]()
		go func() {
			for v := range x.All(ctx) {
				_ = y.Enqueue(v)
			}
		}()
		for b.Loop() {
			_ = x.Enqueue(1)
			_, _ = y.Dequeue(ctx)
		}
		x.Close()
	})
	b.Run("chan", func(b *testing.B) {
		x, y := make(chan int, 1024), make(chan int, 1024)
		go func() {
			for v := range x {
				y <- v
			}
		}()
		for b.Loop() {
			x <- 1
			<-y
		}
		close(x)
	})
}
