//go:build poundlock_debug

package locks

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const debugEnabled = true

// debugMark says of an RWMutex that its owner, a Keyed, reports in its place.
type debugMark struct{ quiet bool }

func (m *debugMark) hush()       { m.quiet = true }
func (m debugMark) hushed() bool { return m.quiet }

// A lock has two names here: what is held and released goes by its address, the
// order of locks by a name that stays the same when a Keyed makes a new entry.
type debugHold struct {
	lock, name any
	write      bool
	goroutine  uint64
	at         debugStack
}

type debugOrder struct{ first, then any } // two names

// debugSeen is how an order was first seen.
type debugSeen struct {
	goroutine    uint64
	first, asked debugStack
}

const (
	maxOrders        = 1 << 16 // kept; then all are forgotten
	defaultWaitLimit = 30 * time.Second
)

var debugging debugTable

// debugTable is guarded by mu.
type debugTable struct {
	mu     sync.Mutex
	holds  map[any][]*debugHold    // by lock
	byGo   map[uint64][]*debugHold // by goroutine
	orders map[debugOrder]*debugSeen
	after  map[any][]any // orders by first
}

func init() { debugForget() }

// debugForget empties everything.
func debugForget() {
	d := &debugging
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds, d.byGo = map[any][]*debugHold{}, map[uint64][]*debugHold{}
	d.orders, d.after = map[debugOrder]*debugSeen{}, map[any][]any{}
}

// debugWant is called before the caller waits for a lock; stop, when it has it or
// has given up.
func debugWant(lock, name any, write bool) (stop func()) {
	me, at := goroutineID(), callers()
	debugCheck(me, lock, name, write, at)
	limit := defaultWaitLimit
	if o := debugOptions.Load(); o != nil && o.WaitLimit != 0 {
		limit = o.WaitLimit
	}
	if limit < 0 {
		return func() {}
	}
	timer := time.AfterFunc(limit, func() {
		var b strings.Builder
		fmt.Fprintf(&b, "locks: goroutine %d has waited for %v for %s\n%s", me, limit, describeLock(name), at)
		d := &debugging
		d.mu.Lock()
		for _, h := range d.holds[lock] {
			fmt.Fprintf(&b, "goroutine %d holds it%s since\n%s", h.goroutine, forReadingOr(h.write), h.at)
		}
		if len(d.holds[lock]) == 0 {
			b.WriteString("nobody holds it\n")
		}
		d.mu.Unlock()
		debugReport(b.String())
	})
	return func() { timer.Stop() }
}

// debugGot is called when the caller has a lock; or has not, if *ok is false.
func debugGot(ok *bool, lock, name any, write bool) {
	if ok == nil || *ok {
		debugGotAll([]any{lock}, []any{name}, write)
	}
}

// debugGotAll is called when the caller has locks that have no order among
// themselves.
func debugGotAll(locks, names []any, write bool) {
	me, at := goroutineID(), callers()
	for i, lock := range locks {
		debugCheck(me, lock, names[i], write, at)
	}
	d := &debugging
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, lock := range locks {
		h := &debugHold{lock: lock, name: names[i], write: write, goroutine: me, at: at}
		d.holds[lock] = append(d.holds[lock], h)
		d.byGo[me] = append(d.byGo[me], h)
	}
}

// debugReleased is called before a lock is released. A lock belongs to no goroutine:
// if the caller has not taken it, another's hold ends.
func debugReleased(lock any, write bool) {
	d, me := &debugging, goroutineID()
	d.mu.Lock()
	defer d.mu.Unlock()
	var found *debugHold
	for _, h := range d.holds[lock] {
		if h.write == write && (found == nil || h.goroutine == me) {
			found = h
		}
	}
	if found == nil {
		return
	}
	dropHold(d.holds, lock, found)
	dropHold(d.byGo, found.goroutine, found)
}

// debugConverted is called when the caller's read lock has become a write lock, or
// the other way round.
func debugConverted(rw *RWMutex, write bool) {
	debugReleased(rw, !write)
	debugGot(nil, rw, rw, write)
}

func dropHold[K comparable](from map[K][]*debugHold, k K, h *debugHold) {
	if rest := slices.DeleteFunc(from[k], func(o *debugHold) bool { return o == h }); len(rest) > 0 {
		from[k] = rest
	} else {
		delete(from, k)
	}
}

// debugCheck compares the lock that goroutine me asks for with those that it holds.
func debugCheck(me uint64, lock, name any, write bool, at debugStack) {
	var reports []string
	d := &debugging
	d.mu.Lock()
	for _, h := range d.byGo[me] {
		if h.lock == lock {
			if _, again := d.orders[debugOrder{name, name}]; !again {
				d.orders[debugOrder{name, name}] = &debugSeen{}
				reports = append(reports, fmt.Sprintf("locks: goroutine %d asks for %s%s, which it holds%s already\n%sit holds it since\n%s",
					me, describeLock(name), forReadingOr(write), forReadingOr(h.write), at, h.at))
			}
			continue
		}
		o := debugOrder{h.name, name}
		if _, known := d.orders[o]; known || h.name == name {
			continue
		}
		if len(d.orders) >= maxOrders {
			clear(d.orders)
			clear(d.after)
		}
		way := d.way(name, h.name)
		d.orders[o] = &debugSeen{me, h.at, at}
		d.after[o.first] = append(d.after[o.first], o.then)
		if len(way) == 0 {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "locks: inversion: goroutine %d asks for %s\n%swhile it holds %s since\n%s", me, describeLock(name), at, describeLock(h.name), h.at)
		for _, o := range way {
			s := d.orders[o]
			fmt.Fprintf(&b, "but goroutine %d asked for %s\n%swhile it held %s since\n%s", s.goroutine, describeLock(o.then), s.asked, describeLock(o.first), s.first)
		}
		reports = append(reports, b.String())
	}
	d.mu.Unlock()
	for _, r := range reports {
		debugReport(r)
	}
}

// way returns the orders that lead from one name to another, the fewest there are.
func (d *debugTable) way(from, to any) []debugOrder {
	came := map[any]any{from: nil}
	for next := []any{from}; len(next) > 0; next = next[1:] {
		at := next[0]
		if at == to {
			var way []debugOrder
			for at != from {
				way = append(way, debugOrder{came[at], at})
				at = came[at]
			}
			slices.Reverse(way)
			return way
		}
		for _, n := range d.after[at] {
			if _, seen := came[n]; !seen {
				came[n] = at
				next = append(next, n)
			}
		}
	}
	return nil
}

func debugReport(text string) {
	if o := debugOptions.Load(); o != nil && o.OnReport != nil {
		o.OnReport(text)
		return
	}
	fmt.Fprint(os.Stderr, text)
}

func forReadingOr(write bool) string {
	if write {
		return ""
	}
	return " for reading"
}

func describeLock(name any) string {
	if s, ok := name.(fmt.Stringer); ok {
		return s.String()
	}
	if rw, ok := name.(*RWMutex); ok {
		if x := rw.x.Load(); x != nil && x.opts.Load() != nil {
			return fmt.Sprintf("RWMutex %s (%p)", cmp.Or(x.opts.Load().Name, "without a name"), rw)
		}
	}
	return fmt.Sprintf("%s %p", strings.TrimPrefix(fmt.Sprintf("%T", name), "*locks."), name)
}

type debugStack [16]uintptr

func callers() (s debugStack) {
	runtime.Callers(3, s[:])
	return s
}

func (s debugStack) String() string {
	return "\t" + strings.Join(calls(s[:]), "\n\t") + "\n"
}

// goroutineID reads what the runtime gives out in stacks only.
func goroutineID() uint64 {
	var buf [40]byte
	text := buf[:runtime.Stack(buf[:], false)]
	text = bytes.TrimPrefix(text, []byte("goroutine "))
	text, _, _ = bytes.Cut(text, []byte(" "))
	id, _ := strconv.ParseUint(string(text), 10, 64)
	return id
}
