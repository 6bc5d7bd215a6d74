package batchchan

import (
	"context"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// outQueue holds a Pipe's results, in batches, between workers and receivers.
type outQueue[Out any] struct {
	ordered bool

	mu       spinLock
	max      int // batches; negative: no bound
	n        int // batches that wait
	turn     uint64
	head     *results[Out]
	tail     *results[Out]
	free     *results[Out]
	spare    int             // in free
	puts     []chan struct{} // workers that wait, each to be told of any change
	receives []chan struct{} // receivers that wait, one to be told of each batch
}

// results are one batch's; items[off:] wait.
type results[Out any] struct {
	next  *results[Out]
	items []Out
	off   int
}

func (q *outQueue[Out]) init(limit int, ordered bool) {
	q.max, q.ordered = limit, ordered
	q.mu.init(true)
}

// get returns an empty results.
func (q *outQueue[Out]) get() *results[Out] {
	q.mu.lock()
	defer q.mu.unlock()
	r := q.free
	if r == nil {
		return new(results[Out])
	}
	q.free, r.next = r.next, nil
	q.spare--
	return r
}

// put appends r as the results of the batch with that ticket. It waits for the
// batch's turn, where results are ordered, and for room. Neither depends on a
// receiver once the bound is off.
func (q *outQueue[Out]) put(ticket uint64, r *results[Out]) {
	q.mu.lock()
	for q.ordered && q.turn != ticket || len(r.items) > 0 && q.max >= 0 && q.n >= q.max {
		ch := make(chan struct{})
		q.puts = append(q.puts, ch)
		q.mu.unlock()
		<-ch
		q.mu.lock()
	}
	q.turn++
	var receive chan struct{}
	if len(r.items) > 0 {
		if q.tail == nil {
			q.head = r
		} else {
			q.tail.next = r
		}
		q.tail = r
		q.n++
		receive = q.wakeReceiverLocked()
	} else {
		q.freeLocked(r)
	}
	var puts []chan struct{}
	if q.ordered {
		puts, q.puts = q.puts, nil
	}
	q.mu.unlock()
	tell(puts)
	if receive != nil {
		receive <- struct{}{}
	}
}

func tell(chs []chan struct{}) {
	for _, ch := range chs {
		close(ch)
	}
}

func (q *outQueue[Out]) freeLocked(r *results[Out]) {
	if q.spare >= 16 {
		return
	}
	r.items, r.off = r.items[:0], 0
	r.next, q.free = q.free, r
	q.spare++
}

func (q *outQueue[Out]) wakeReceiverLocked() chan struct{} {
	n := len(q.receives)
	if n == 0 {
		return nil
	}
	ch := q.receives[n-1]
	q.receives = q.receives[:n-1]
	return ch
}

// unbound takes the bound off.
func (q *outQueue[Out]) unbound() {
	q.mu.lock()
	q.max = -1
	puts := q.puts
	q.puts = nil
	q.mu.unlock()
	tell(puts)
}

// recv moves results to dst, at least one, waiting for it until ctx is done or
// end is closed and nothing is left.
func (q *outQueue[Out]) recv(ctx context.Context, end <-chan struct{}, dst []Out) (int, error) {
	notNil(ctx)
	if ctx.Err() != nil {
		return 0, ctxerr.From(ctx)
	}
	ended := false
	for {
		q.mu.lock()
		if q.head != nil {
			return q.recvLocked(dst), nil
		}
		if ended {
			q.mu.unlock()
			return 0, ErrClosed
		}
		ch := make(chan struct{}, 1)
		q.receives = append(q.receives, ch)
		q.mu.unlock()
		var err error
		select {
		case <-ch:
			continue
		case <-end:
			ended = true
		case <-ctx.Done():
			err = errEnded
		}
		q.mu.lock()
		told := true // someone counts on this receiver, if it is not on the list
		for i, c := range q.receives {
			if c == ch {
				q.receives = append(q.receives[:i], q.receives[i+1:]...)
				told = false
				break
			}
		}
		var other chan struct{}
		if told && err != nil {
			other = q.wakeReceiverLocked()
		}
		q.mu.unlock()
		if other != nil {
			other <- struct{}{}
		}
		if err != nil {
			return 0, why(ctx, err)
		}
	}
}

// recvLocked is entered with mu held and returns without.
func (q *outQueue[Out]) recvLocked(dst []Out) int {
	n := 0
	var puts []chan struct{}
	for n < len(dst) && q.head != nil {
		r := q.head
		k := copy(dst[n:], r.items[r.off:])
		clear(r.items[r.off : r.off+k])
		n += k
		if r.off += k; r.off < len(r.items) {
			break
		}
		if q.head = r.next; q.head == nil {
			q.tail = nil
		}
		r.next = nil
		q.n--
		q.freeLocked(r)
		if puts == nil {
			puts, q.puts = q.puts, nil
		}
	}
	var other chan struct{}
	if q.head != nil {
		other = q.wakeReceiverLocked()
	}
	q.mu.unlock()
	tell(puts)
	if other != nil {
		other <- struct{}{}
	}
	return n
}
