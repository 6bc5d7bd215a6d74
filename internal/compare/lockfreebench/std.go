package lockfreebench

import (
	"sync"
	"sync/atomic"
)

var channel = Peer{nameChan, "make(chan int, 1024)", func() Queue {
	c := make(chan int, capacity)
	tryGet := func() (int, bool) {
		select {
		case v := <-c:
			return v, true
		default:
			return 0, false
		}
	}
	return Queue{
		Put:    func(v int) { c <- v },
		TryGet: tryGet,
		Get:    func() int { return <-c },
		PutBatch: func(vs []int) {
			for _, v := range vs {
				c <- v
			}
		},
		GetBatch: func(buf []int) int {
			for i := range buf {
				v, ok := tryGet()
				if !ok {
					return i
				}
				buf[i] = v
			}
			return len(buf)
		},
		Capacity: capacity,
	}
}}

// mutexRing is the plain design: a ring buffer that grows, under a mutex, with a
// condition variable for those who wait.
type mutexRing struct {
	mu      sync.Mutex
	cond    sync.Cond
	waiting int
	buf     []int
	head, n int
}

var mutexed = Peer{nameMutex, "growing ring, sync.Mutex and sync.Cond", func() Queue {
	q := &mutexRing{buf: make([]int, 32)}
	q.cond.L = &q.mu
	return Queue{Put: q.put, TryGet: q.tryGet, Get: q.get, PutBatch: q.putBatch, GetBatch: q.getBatch}
}}

func (q *mutexRing) push(v int) {
	if q.n == len(q.buf) {
		buf := make([]int, 2*len(q.buf))
		for i := range q.n {
			buf[i] = q.buf[(q.head+i)&(len(q.buf)-1)]
		}
		q.buf, q.head = buf, 0
	}
	q.buf[(q.head+q.n)&(len(q.buf)-1)] = v
	q.n++
}

func (q *mutexRing) pop() int {
	v := q.buf[q.head]
	q.head = (q.head + 1) & (len(q.buf) - 1)
	q.n--
	return v
}

func (q *mutexRing) put(v int) {
	q.mu.Lock()
	q.push(v)
	wake := q.waiting > 0
	q.mu.Unlock()
	if wake {
		q.cond.Signal()
	}
}

func (q *mutexRing) tryGet() (int, bool) {
	q.mu.Lock()
	if q.n == 0 {
		q.mu.Unlock()
		return 0, false
	}
	v := q.pop()
	q.mu.Unlock()
	return v, true
}

func (q *mutexRing) get() int {
	q.mu.Lock()
	for q.n == 0 {
		q.waiting++
		q.cond.Wait()
		q.waiting--
	}
	v := q.pop()
	q.mu.Unlock()
	return v
}

func (q *mutexRing) putBatch(vs []int) {
	q.mu.Lock()
	for _, v := range vs {
		q.push(v)
	}
	wake := q.waiting > 0
	q.mu.Unlock()
	if wake {
		q.cond.Broadcast()
	}
}

func (q *mutexRing) getBatch(buf []int) int {
	q.mu.Lock()
	n := min(len(buf), q.n)
	for i := range n {
		buf[i] = q.pop()
	}
	q.mu.Unlock()
	return n
}

// bookQueue is the algorithm as printed (Michael and Scott, PODC 1996), with the
// garbage collector in the place of the counted pointers and nothing added.
type bookQueue struct {
	head, tail atomic.Pointer[bookNode]
}

type bookNode struct {
	next atomic.Pointer[bookNode]
	val  int
}

var textbook = Peer{nameBook, "as printed", func() Queue {
	q, n := new(bookQueue), new(bookNode)
	q.head.Store(n)
	q.tail.Store(n)
	return Queue{Put: q.put, TryGet: q.tryGet}
}}

func (q *bookQueue) put(v int) {
	node := &bookNode{val: v}
	for {
		tail := q.tail.Load()
		next := tail.next.Load()
		if tail != q.tail.Load() {
			continue
		}
		if next != nil {
			q.tail.CompareAndSwap(tail, next)
			continue
		}
		if tail.next.CompareAndSwap(nil, node) {
			q.tail.CompareAndSwap(tail, node)
			return
		}
	}
}

func (q *bookQueue) tryGet() (int, bool) {
	for {
		head := q.head.Load()
		tail := q.tail.Load()
		next := head.next.Load()
		if head != q.head.Load() {
			continue
		}
		if head == tail {
			if next == nil {
				return 0, false
			}
			q.tail.CompareAndSwap(tail, next)
			continue
		}
		v := next.val
		if q.head.CompareAndSwap(head, next) {
			return v, true
		}
	}
}
