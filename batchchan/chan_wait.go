package batchchan

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/rt"
)

// chanSide is the state of a Chan outside its ring: the goroutines that wait, and the
// items that came back from a C that ended.
type chanSide[T any] struct {
	senders   parking
	receivers parking
	back      atomic.Int32 // len(returned) + held: receivers must take the slow path

	mu       spinLock
	returned []heldItem[T] // guarded by mu, as below: came back from a C that ended; before all in the ring, in order
	held     int           // received by a C whose reader may not take them
	holds    uint64        // received by any C so far
}

func (s *chanSide[T]) init() {
	s.mu.init(false)
	s.senders.init()
	s.receivers.init()
}

// parking is one end of a Chan: the goroutines that wait there. Waking one for
// each item would cost more than the items, so at most one is on its way at a
// time; when it has found something, and there is more, it wakes the next.
//
// No wake-up is lost: a waiter announces itself in wanted and then looks at the
// ring once more; the other side changes the ring and then looks at wanted.
type parking struct {
	wanted  atomic.Bool // someone waits and nobody is on its way
	blocked atomic.Uint64
	spins   bool // there is another P to wait for

	mu      spinLock
	head    *parked // guarded by mu, as all below
	tail    *parked
	n       int
	onWay   bool
	free    sync.Pool     // *parked; per Chan
	blockNs time.Duration // that waiters waited
}

type parked struct {
	ch         chan struct{} // capacity 1
	timer      *time.Timer
	next, prev *parked
	queued     bool
}

func (p *parking) init() {
	p.mu.init(true)
	p.spins = p.mu.tries > 0
	p.free.New = func() any { return &parked{ch: make(chan struct{}, 1)} }
}

// wake gets the first waiter on its way, unless one is.
func (p *parking) wake() {
	p.mu.lock()
	w := p.head
	if w == nil || p.onWay {
		p.mu.unlock()
		return
	}
	p.removeLocked(w)
	p.onWay = true
	p.wanted.Store(false)
	p.mu.unlock()
	w.ch <- struct{}{}
}

// wakeAll wakes everyone: the Chan was closed, there is nothing to be fair about.
func (p *parking) wakeAll() {
	p.mu.lock()
	w := p.head
	p.head, p.tail, p.n = nil, nil, 0
	for v := w; v != nil; v = v.next {
		v.queued = false
	}
	p.wanted.Store(false)
	p.mu.unlock()
	for w != nil {
		next := w.next
		w.next, w.prev = nil, nil
		w.ch <- struct{}{}
		w = next
	}
}

// add announces w: at the end, or in front if it was there before.
func (p *parking) add(w *parked, front bool) {
	p.mu.lock()
	w.queued = true
	if front {
		w.next, w.prev = p.head, nil
	} else {
		w.next, w.prev = nil, p.tail
	}
	if w.prev == nil {
		p.head = w
	} else {
		w.prev.next = w
	}
	if w.next == nil {
		p.tail = w
	} else {
		w.next.prev = w
	}
	p.n++
	p.wanted.Store(!p.onWay)
	p.mu.unlock()
}

func (p *parking) removeLocked(w *parked) {
	if w.prev == nil {
		p.head = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		p.tail = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.next, w.prev, w.queued = nil, nil, false
	p.n--
}

// leave takes w off the list, or its wake-up if that was faster.
func (p *parking) leave(w *parked) {
	p.mu.lock()
	if w.queued {
		p.removeLocked(w)
		p.wanted.Store(p.head != nil && !p.onWay)
		p.mu.unlock()
		return
	}
	p.mu.unlock()
	<-w.ch
	p.arrived()
}

// arrived says that the waiter that was on its way is here.
func (p *parking) arrived() {
	p.mu.lock()
	p.onWay = false
	p.wanted.Store(p.head != nil)
	p.mu.unlock()
}

// waitFor repeats try until it does not return blocked. d as for send. When ctx is done it
// returns errEnded.
func (p *parking) waitFor(ctx context.Context, d time.Duration, base time.Time, try func() outcome) error {
	r := try()
	if r == blocked && d == noWait {
		return ErrFull
	}
	if r == blocked {
		// The other side is often about to come. To look at once would bring
		// both onto the same slots, one cache miss per item; to park would
		// cost more than a few items. So wait for as long as some dozens take,
		// then let others run, and only then park (BenchmarkChan/1P1C).
		if p.spins {
			rt.ProcYield(chanPauses)
			r = try()
		}
		for i := 0; i < chanYields && r == blocked; i++ {
			runtime.Gosched()
			r = try()
		}
	}
	if r != blocked {
		return r.err()
	}
	w := p.free.Get().(*parked)
	start := time.Since(base)
	p.blocked.Add(1)
	var timeout <-chan time.Time
	if d >= 0 {
		if w.timer == nil {
			w.timer = time.NewTimer(d)
		} else {
			w.timer.Reset(d)
		}
		timeout = w.timer.C
	}
	var err error
	for front := false; ; front = true {
		p.add(w, front)
		if r = try(); r != blocked {
			p.leave(w)
			err = r.err()
			break
		}
		if timeout == nil && ctx.Done() == nil {
			<-w.ch
			p.arrived()
		} else {
			select {
			case <-w.ch:
				p.arrived()
			case <-ctx.Done():
				err = errEnded // why, is asked when nobody waits for this goroutine any more
			case <-timeout:
				err = ErrTimeout
			}
			if err != nil {
				p.leave(w)
				break
			}
		}
		if r = try(); r != blocked {
			err = r.err()
			break
		}
	}
	if d >= 0 {
		w.timer.Stop()
	}
	p.mu.lock()
	p.blockNs += time.Since(base) - start
	p.mu.unlock()
	p.free.Put(w)
	return err
}

const (
	chanPauses = 60 // about 1 µs
	chanYields = 2
)

func (r outcome) err() error {
	switch r {
	case closed:
		return ErrClosed
	case blocked:
		return ErrFull
	}
	return nil
}

// sendSlow is every send but the plain one. It wakes on both ways out: the other
// side for the item, its own for the wake-up that it may have eaten.
func (c *Chan[T]) sendSlow(ctx context.Context, item T, d time.Duration) error {
	err := c.side.senders.waitFor(ctx, d, c.base, func() outcome { return c.ring.send(item) })
	if err == nil && c.side.receivers.wanted.Load() {
		c.side.receivers.wake()
	}
	if c.side.senders.wanted.Load() && (c.ring.len() < c.ring.capacity || c.ring.isClosed()) {
		c.side.senders.wake()
	}
	return why(ctx, err)
}

func (c *Chan[T]) recvSlow(ctx context.Context, item *T, d time.Duration) error {
	return why(ctx, c.recvWith(ctx, d, func() outcome { return c.recvAny(item) }))
}

// recvWith is recvSlow with another way to receive. When ctx is done it returns errEnded.
func (c *Chan[T]) recvWith(ctx context.Context, d time.Duration, try func() outcome) error {
	err := c.side.receivers.waitFor(ctx, d, c.base, try)
	if err == ErrFull { //nolint:errorlint // identity
		err = ErrEmpty
	}
	if err == nil && c.side.senders.wanted.Load() {
		c.side.senders.wake()
	}
	if c.side.receivers.wanted.Load() && (c.Len() > 0 || c.ring.isClosed()) {
		c.side.receivers.wake()
	}
	return err
}

// recvAny receives what came back first, and then from the ring. While a C holds
// an item that it may yet return, a closed ring is not at its end.
func (c *Chan[T]) recvAny(item *T) outcome {
	s := &c.side
	if s.back.Load() == 0 {
		if r := c.ring.recv(item); r != closed || s.back.Load() == 0 {
			return r
		}
	}
	s.mu.lock()
	if len(s.returned) > 0 {
		*item = s.popLocked().item
		s.mu.unlock()
		return done
	}
	held := s.held
	s.mu.unlock()
	r := c.ring.recv(item)
	if r == closed && held > 0 {
		return blocked
	}
	return r
}
