package connpool

import (
	"context"
	"math"
	"math/bits"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

// Pool lends connections of type C. All methods are safe for concurrent use.
// Waiters are served strictly first in, first out; idle connections are lent as
// Config.Order says.
//
// A Pool must be made by [New] and must be ended by [Pool.Close] or
// [Pool.Shutdown], which end its goroutines.
type Pool[C any] struct {
	// Read by every Acquire and Release; written seldom, under mu.
	gate     gate
	lastWord uint64 // a lent word from here on had its last use (MaxUses)
	roster   roster[C]
	cfg      Config[C]
	cancel   context.CancelFunc // ends functions.ctx
	labels   context.Context    // pprof labels of the pool's goroutines; nil: none

	_         stats.Pad
	returned  atomic.Uint64 // stamps entries as they come back; Order LIFO and FIFO
	functions functions
	aborted   atomic.Bool // Shutdown has run out of time
	spares    spares[C]
	times     times
	retries   atomic.Uint64
	_         [stats.Line + 8]byte // mu begins a line on 64 bits

	// mu is held for short, never while a user's function runs, and guards core. It has a
	// cache line of its own, or goroutines that wait for it would slow the one that has it.
	// core begins on the next line, with the fields that a hand-over writes. The fields that a
	// hand-over only reads follow, and so stay in the caches of all processors
	// (connpool/contended/goroutines=64/conns=4/hold=yield).
	mu   sync.Mutex
	_    [stats.Line - 8]byte
	core core[C]
}

// gate is zero while an Acquire may simply take and a Release simply give.
type gate struct{ atomic.Uint32 }

func (g *gate) set(bit uint32, on bool) {
	switch {
	case g.Load()&bit != 0 == on:
	case on:
		g.Or(bit)
	default:
		g.And(^bit)
	}
}

// The bits of a gate.
const (
	gateWaiters = 1 << iota // an Acquire waits
	gateClosed
	gatePaused
	gateSurplus // more open than MaxOpen or MaxIdle allow: look at every release
	gateShort   // another pool of the same limiter lacks a slot
	gateNote    // loans are to be noted: hooks, stacks
	gateGive    // returns need more than the fast path: Reset, hooks, stamps, checks
	gateOrdered // idle connections are not all alike to Acquire

	gateAcquire = gateWaiters | gateClosed | gatePaused | gateNote | gateOrdered
	gateRelease = gateWaiters | gateClosed | gateGive
	gateSettle  = gateWaiters | gateClosed | gateSurplus | gateShort
	gateStop    = gateWaiters | gateClosed | gatePaused
)

// New returns a pool, or an error that names the field of cfg that is wrong. It
// opens no connection itself; with MinIdle the first dials begin in the background.
func New[C any](cfg Config[C]) (*Pool[C], error) {
	p, err := newPool(cfg, nil)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.cfg.needsJanitor() {
		p.core.jobs.begin(job[C]{kind: jobTicks})
	}
	p.core.provide()
	p.unlock()
	return p, nil
}

// Must returns v, or panics with err if that is not nil: for a pool whose Config is
// known to be right.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newPool[C any](cfg Config[C], limit *limiter) (*Pool[C], error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	n := 1 << bits.Len(uint(min(max(runtime.GOMAXPROCS(0), 1), 64)-1))
	p := &Pool[C]{
		lastWord: math.MaxUint64,
		cfg:      cfg,
		times:    times{latencies: new(latencies)},
	}
	base := context.Background()
	if cfg.Name != "" { // in the ctx too: a function that calls pprof.Do with it keeps the label
		base = pprof.WithLabels(base, pprof.Labels("poundlock", cfg.Name))
		p.labels = base
	}
	ctx, cancel := context.WithCancel(base)
	p.functions.ctx, p.cancel = insideCtx{ctx, p}, cancel
	p.roster.init(n, cfg.Order, &p.returned)
	p.functions.name = cfg.Name
	if cfg.MaxUses > 0 && cfg.MaxUses < math.MaxUint64>>useShift {
		p.lastWord = cfg.MaxUses<<useShift | stateLent
	}
	p.core.init(&p.cfg, &p.gate, &p.roster, p.lastWord)
	p.core.alarm.ring = p.look
	p.core.share.limit, p.core.share.pool = limit, p
	if cfg.OnAcquired != nil || cfg.LeakStacks != SampleNone {
		p.gate.set(gateNote, true)
	}
	if cfg.Order != Affinity {
		p.gate.set(gateOrdered, true)
	}
	if cfg.OnReleased != nil || cfg.Reset != nil || cfg.Order != Affinity || cfg.CheckAfterIdle < 0 {
		p.gate.set(gateGive, true)
	}
	return p, nil
}

// lock is mu.Lock for sections that many goroutines want at once. It spins first. The
// sections under mu are far shorter than a switch of goroutines, but sync.Mutex does not
// spin while other goroutines are runnable on this processor, which is so whenever many
// wait. A goroutine that sleeps here may hold a connection (p99 of .../hold=1us).
func (p *Pool[C]) lock() {
	for range 16 {
		if p.mu.TryLock() {
			return
		}
		rt.ProcYield(4)
	}
	p.mu.Lock()
}

// unlock ends a section under mu and does what must be done outside it.
func (p *Pool[C]) unlock() {
	c := &p.core
	if len(c.jobs.list) > 0 {
		c.jobs.start(func(j job[C]) { go p.run(j) })
	}
	wake := c.waiters.takeGranted()
	if c.share.limit == nil {
		p.mu.Unlock()
		wakeAll(wake)
		return
	}
	if c.share.lacks && c.waiters.unserved() <= 0 && !c.warmers.any() {
		c.share.lack(false) // the waiter that lacked it has left, or was served
	}
	due := c.share.takeDues()
	p.mu.Unlock()
	wakeAll(wake)
	c.share.settle(due)
}

func wakeAll[C any](wake *waiter[C]) {
	for wake != nil {
		w := wake
		wake = w.next // before the send: after it, w belongs to its waiter
		w.ch <- struct{}{}
	}
}

// poke looks again at what waiters need.
func (p *Pool[C]) poke() {
	p.mu.Lock()
	p.core.provide()
	p.unlock()
}

// look is called by the alarm.
func (p *Pool[C]) look() {
	p.mu.Lock()
	p.core.look()
	p.unlock()
}

// settle looks after a connection that went idle while the gate was up.
func (p *Pool[C]) settle() {
	p.lock()
	p.core.settle()
	p.unlock()
}
