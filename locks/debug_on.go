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

type debugOrder struct{ before, then any } // two names

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
	after  map[any][]any // the names that were asked for while this one was held
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
	debugAsk(name, write)
	return debugWatch(lock, name)
}

// debugAsk is called before the caller asks for a lock that it may have to wait for, and
// after it has tried one with success. What it reports may panic: nothing is noted then
// of a lock that the caller does not have.
func debugAsk(name any, write bool) {
	debugCheck(name, func(h *debugHold, me uint64, at debugStack) string {
		return fmt.Sprintf("locks: goroutine %d asks for %s%s, which it holds%s already\n%sit holds it since\n%s",
			me, describeLock(name), forReadingOr(write), forReadingOr(h.write), at, h.at)
	})
}

// debugWantUpgrade is debugWant of a caller that holds rw for reading.
func debugWantUpgrade(rw *RWMutex) (stop func()) {
	debugCheck(rw, nil)
	return debugWatch(rw, rw)
}

// debugWatch reports a wait that is too long.
func debugWatch(lock, name any) (stop func()) {
	limit := defaultWaitLimit
	if o := debugOptions.Load(); o != nil && o.WaitLimit != 0 {
		limit = o.WaitLimit
	}
	if limit < 0 {
		return func() {}
	}
	me, at := goroutineID(), callers()
	timer := time.AfterFunc(limit, func() {
		d := &debugging
		d.mu.Lock()
		holds := slices.Clone(d.holds[lock])
		d.mu.Unlock()
		var b strings.Builder
		fmt.Fprintf(&b, "locks: goroutine %d has waited for %v for %s\n%s", me, limit, describeLock(name), at)
		for _, h := range holds {
			fmt.Fprintf(&b, "goroutine %d holds it%s since\n%s", h.goroutine, forReadingOr(h.write), h.at)
		}
		if len(holds) == 0 {
			b.WriteString("nobody holds it\n")
		}
		debugReport(b.String())
	})
	return func() { timer.Stop() }
}

// debugTried is called when the caller has tried to get a lock; with success, if ok.
func debugTried(ok *bool, lock, name any, write bool) {
	if *ok {
		debugAsk(name, write)
		debugGot(ok, lock, name, write)
	}
}

// debugGot is called when the caller has a lock; or has not, if *ok is false.
func debugGot(ok *bool, lock, name any, write bool) {
	if ok != nil && !*ok {
		return
	}
	h := &debugHold{lock: lock, name: name, write: write, goroutine: goroutineID(), at: callers()}
	d := &debugging
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holds[lock] = append(d.holds[lock], h)
	d.byGo[h.goroutine] = append(d.byGo[h.goroutine], h)
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

// debugCheck compares a lock that the caller asks for with those that it holds. If it
// holds this one it reports what again says, unless that is nil.
func debugCheck(name any, again func(h *debugHold, me uint64, at debugStack) string) {
	me, at := goroutineID(), callers()
	// What people wrote, String methods of keys and OnReport, runs without mu.
	var reports []func() string
	d := &debugging
	d.mu.Lock()
	for _, h := range d.byGo[me] {
		o := debugOrder{h.name, name}
		if _, known := d.orders[o]; known {
			continue
		}
		if h.name == name {
			if again != nil {
				d.orders[o] = &debugSeen{}
				reports = append(reports, func() string { return again(h, me, at) })
			}
			continue
		}
		if len(d.orders) >= maxOrders {
			clear(d.orders)
			clear(d.after)
		}
		way := d.way(name, h.name)
		d.orders[o] = &debugSeen{me, h.at, at}
		d.after[o.before] = append(d.after[o.before], o.then)
		if len(way) > 0 {
			reports = append(reports, func() string { return describeInversion(h, name, me, at, way) })
		}
	}
	d.mu.Unlock()
	for _, text := range reports {
		debugReport(text())
	}
}

// debugStep is an order of locks, and how it was first seen.
type debugStep struct {
	debugOrder
	*debugSeen
}

func describeInversion(h *debugHold, name any, me uint64, at debugStack, way []debugStep) string {
	var b strings.Builder
	fmt.Fprintf(&b, "locks: inversion: goroutine %d asks for %s\n%swhile it holds %s since\n%s", me, describeLock(name), at, describeLock(h.name), h.at)
	for _, s := range way {
		fmt.Fprintf(&b, "but goroutine %d asked for %s\n%swhile it held %s since\n%s", s.goroutine, describeLock(s.then), s.asked, describeLock(s.before), s.first)
	}
	return b.String()
}

// way returns the orders that lead from one name to another, the fewest there are.
func (d *debugTable) way(from, to any) []debugStep {
	came := map[any]any{from: nil}
	for next := []any{from}; len(next) > 0; next = next[1:] {
		at := next[0]
		if at == to {
			var way []debugStep
			for at != from {
				o := debugOrder{came[at], at}
				way = append(way, debugStep{o, d.orders[o]})
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
	switch l := name.(type) {
	case *RWMutex:
		if x := l.x.Load(); x != nil && x.opts.Load() != nil {
			return fmt.Sprintf("RWMutex %s (%p)", cmp.Or(x.opts.Load().Name, "without a name"), l)
		}
	case *SpinMutex:
		if x := l.x.Load(); x != nil && x.name.Load() != nil {
			return fmt.Sprintf("SpinMutex %s (%p)", *x.name.Load(), l)
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
