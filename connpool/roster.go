package connpool

import (
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

// roster is the part of a pool that lists its connections and finds idle ones.
// Borrowers read it without a lock; what writes it holds Pool.mu.
type roster[C any] struct {
	hintMask int
	hints    []hint[C]
	list     atomic.Pointer[[]*entry[C]] // copied on write
	order    Order
	marked   int            // idle connections with the mark set
	usesGone uint64         // uses of the connections that have left
	returned *atomic.Uint64 // stamps entries as they come back; it has a cache line of its own
}

// hint remembers which entry a processor had last.
type hint[C any] struct {
	e atomic.Pointer[entry[C]]
	_ [stats.Line - 8]byte
}

// init makes a roster without connections; processors is a power of two. returned counts
// the returns.
func (r *roster[C]) init(processors int, order Order, returned *atomic.Uint64) {
	r.hintMask, r.hints, r.order, r.returned = processors-1, make([]hint[C], processors), order, returned
	r.list.Store(new([]*entry[C]))
}

// all returns the connections. The slice is never written.
func (r *roster[C]) all() []*entry[C] { return *r.list.Load() }

// add makes e one of the connections.
func (r *roster[C]) add(e *entry[C]) {
	old := r.all()
	list := make([]*entry[C], len(old)+1)
	copy(list, old)
	list[len(old)] = e
	r.list.Store(&list)
}

// remove takes e, which the pool holds, out. flag is what the word then has: ended if its
// holder did it, or 0.
func (r *roster[C]) remove(e *entry[C], flag uint64) {
	w := e.word.Load()
	r.usesGone += w >> useShift
	e.word.Store(w&^lowBits | flag | stateGone)
	r.unmark(e)
	old := r.all()
	list := make([]*entry[C], 0, len(old))
	for _, o := range old {
		if o != e {
			list = append(list, o)
		}
	}
	r.list.Store(&list)
	for i := range r.hints {
		r.hints[i].e.CompareAndSwap(e, nil) // or the collector could not have it
	}
}

// stamp notes that e was returned last; for the orders LIFO and FIFO.
func (r *roster[C]) stamp(e *entry[C]) { e.stamp.Store(r.returned.Add(1)) }

// count returns how many connections were seen in the given state, looking at each once.
func (r *roster[C]) count(state uint64) int {
	n := 0
	for _, e := range r.all() {
		if e.word.Load()&stateMask == state {
			n++
		}
	}
	return n
}

// census is what the connections of a roster do at one moment, each looked at once.
type census struct {
	idle, lent, held int
	uses             uint64 // loans so far, those of the connections that have left included
}

func (r *roster[C]) census() census {
	c := census{uses: r.usesGone}
	for _, e := range r.all() {
		w := e.word.Load()
		c.uses += w >> useShift
		switch w & stateMask {
		case stateIdle:
			c.idle++
		case stateLent:
			c.lent++
		default:
			c.held++
		}
	}
	return c
}

// grab takes an idle connection that needs no check.
func (r *roster[C]) grab() (Conn[C], bool) {
	if r.order != Affinity {
		return r.grabOrdered()
	}
	h := &r.hints[rt.Stripe()&r.hintMask].e
	if e := h.Load(); e != nil {
		if c, ok := e.borrow(); ok {
			return c, true
		}
	}
	for _, e := range r.all() {
		if c, ok := e.borrow(); ok {
			h.Store(e)
			return c, true
		}
	}
	return Conn[C]{}, false
}

// grabOrdered takes the idle connection that was returned last or first.
func (r *roster[C]) grabOrdered() (Conn[C], bool) {
	for {
		var best *entry[C]
		var stamp uint64
		for _, e := range r.all() {
			if e.word.Load()&lowBits != stateIdle {
				continue
			}
			s := e.stamp.Load()
			if best == nil || r.order == LIFO && s > stamp || r.order == FIFO && s < stamp {
				best, stamp = e, s
			}
		}
		if best == nil {
			return Conn[C]{}, false
		}
		if c, ok := best.borrow(); ok {
			return c, true
		}
	}
}

// grabSurely is grab, but when it fails, there was a moment at which no connection was
// ready. One look at each connection in turn does not prove that: each may have been idle
// at every moment but the one at which it was looked at. Two looks prove it if both find
// all connections busy and no loan began between them (a double collect is a snapshot:
// Afek et al., Atomic Snapshots of Shared Memory, 1993). While mu is held, a connection
// leaves the idle state only by a loan.
func (r *roster[C]) grabSurely() (Conn[C], bool) {
	before, all := uint64(0), false // loans at the look before, if that found all busy
	for {
		loans, ready := uint64(0), false
		for _, e := range r.all() {
			w := e.word.Load()
			loans += w >> useShift
			ready = ready || w&lowBits == stateIdle
		}
		switch {
		case ready:
			if c, ok := r.grab(); ok {
				return c, true
			}
		case all && loans == before:
			return Conn[C]{}, false
		}
		before, all = loans, !ready
	}
}

// grabAll takes all connections that it finds idle, whether they need a check or not.
func (r *roster[C]) grabAll() []Conn[C] {
	var all []Conn[C]
	for _, e := range r.all() {
		for {
			w := e.word.Load()
			if w&stateMask != stateIdle {
				break
			}
			if e.word.CompareAndSwap(w, w&^mark+useOne+stateLent) {
				r.unmark(e)
				all = append(all, Conn[C]{e, w&^mark + useOne + stateLent})
				break
			}
		}
	}
	return all
}

// mark has e checked before it is lent, if it is idle.
func (r *roster[C]) mark(e *entry[C]) {
	if !e.marked && e.setMark(stateIdle) {
		e.marked = true
		r.marked++
	}
}

// giveMarked makes e, which the pool holds and which had the given uses, idle and marked.
func (r *roster[C]) giveMarked(e *entry[C], uses uint64) {
	e.marked = true
	r.marked++
	e.word.Store(uses | mark | stateIdle)
}

func (r *roster[C]) unmark(e *entry[C]) {
	if e.marked {
		e.marked = false
		r.marked--
	}
}

// takeMarked takes an idle connection that needs a check; there must be one.
func (r *roster[C]) takeMarked() *entry[C] {
	for _, e := range r.all() {
		if e.marked {
			r.unmark(e)
			e.word.Store(e.word.Load()&^lowBits | stateHeld)
			return e
		}
	}
	panic("connpool: marked connections are miscounted")
}

// suspect has every connection checked before its next loan: when one is found broken, the
// server may have dropped the others too.
func (r *roster[C]) suspect() {
	for _, e := range r.all() {
		r.mark(e)
		if !e.marked { // on loan, or held
			e.setMark(stateLent) // so that its return looks
			e.suspect = true
		}
	}
}
