package batchchan

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// backOffs are the waits for a next attempt that hold a worker.
type backOffs struct {
	mu sync.Mutex
	ch chan struct{} // closed by hurry; nil while nobody waits
}

// wait waits for d, or until hurry is called. It reports false when ctx is done.
func (b *backOffs) wait(ctx context.Context, d time.Duration) bool {
	b.mu.Lock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	ch := b.ch
	b.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ch:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// hurry ends the waits that are under way.
func (b *backOffs) hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// aside counts the batches that wait for their next attempt without a worker.
type aside struct {
	n   atomic.Int64
	max int
}

// reserve takes a place and reports false if all are taken.
func (a *aside) reserve() bool {
	if a.n.Add(1) > int64(a.max) {
		a.n.Add(-1)
		return false
	}
	return true
}

func (a *aside) release() { a.n.Add(-1) }

// later holds what waits for a time of its own, earliest first: batches that are
// aside. What has the same time comes out as it went in. (container/heap would box
// each item; keyHeap is for what knows its own place.)
type later[E any] struct {
	heap []laterItem[E]
	n    uint64 // added
}

type laterItem[E any] struct {
	at   time.Duration
	nth  uint64
	what E
}

func (l *later[E]) add(at time.Duration, e E) {
	l.n++
	l.heap = append(l.heap, laterItem[E]{at, l.n, e})
	for i := len(l.heap) - 1; i > 0 && l.less(i, (i-1)/2); i = (i - 1) / 2 {
		l.heap[i], l.heap[(i-1)/2] = l.heap[(i-1)/2], l.heap[i]
	}
}

// next returns the earliest time, if anything waits.
func (l *later[E]) next() (time.Duration, bool) {
	if len(l.heap) == 0 {
		return 0, false
	}
	return l.heap[0].at, true
}

// takeDue is take by a reading of the clock from before the lock. The alarm may have rung
// since and found the taker on its way, so where nothing was due then, it looks again.
func (l *later[E]) takeDue(now time.Duration, c clock) (e E, ok bool) {
	if at, waits := l.next(); waits && at > now {
		now = c.now()
	}
	return l.take(now)
}

// take takes out what is due first, if it is due.
func (l *later[E]) take(now time.Duration) (e E, ok bool) {
	if len(l.heap) == 0 || l.heap[0].at > now {
		return e, false
	}
	e = l.heap[0].what
	last := len(l.heap) - 1
	l.heap[0] = l.heap[last]
	l.heap[last] = laterItem[E]{}
	l.heap = l.heap[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			return e, true
		}
		if c+1 < last && l.less(c+1, c) {
			c++
		}
		if !l.less(c, i) {
			return e, true
		}
		l.heap[i], l.heap[c] = l.heap[c], l.heap[i]
		i = c
	}
}

// hurry makes everything due, in the order in which it would have been.
func (l *later[E]) hurry() {
	slices.SortFunc(l.heap, func(a, b laterItem[E]) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.nth, b.nth))
	})
	for i := range l.heap {
		l.heap[i].at, l.heap[i].nth = 0, uint64(i) // sorted, so still a heap
	}
}

func (l *later[E]) less(i, j int) bool {
	a, b := &l.heap[i], &l.heap[j]
	return a.at < b.at || a.at == b.at && a.nth < b.nth
}
