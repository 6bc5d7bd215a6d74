package connpool

import (
	"context"
	"math"
	"math/bits"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

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
	base     time.Time          // where the pool's clock starts
	cancel   context.CancelFunc // ends functions.ctx
	labels   context.Context    // pprof labels of the pool's goroutines; nil: none

	_         stats.Pad
	returned  atomic.Uint64 // stamps entries as they come back; Order LIFO and FIFO
	functions functions
	aborted   atomic.Bool // Shutdown has run out of time
	spares    spares[C]
	times     times
	retries   atomic.Uint64
	_         [stats.Line + 56]byte // mu begins a line on 64 bits

	// mu is held for short, never while a user's function runs, and guards all below.
	// It has a cache line of its own, or goroutines that wait for it would slow the one
	// that has it. The next line holds what a hand-over writes. What a hand-over only
	// reads follows, and so stays in the caches of all processors
	// (connpool/contended/goroutines=64/conns=4/hold=yield).
	mu      sync.Mutex
	_       [stats.Line - 8]byte
	waiters waiters[C]
	closed  bool
	limits  limits
	closing closing[C]
	dialer  dialer
	share   share

	n       books
	janitor janitor
	stock   stock
	warmers warmers
	retry   *time.Timer // provides again when the back-off ends
	nextID  uint64
	tasks   int           // goroutines of the pool
	drained chan struct{} // closed when the closed pool has nothing left
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
	gateWaiters = 1 << iota // somebody waits
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
		p.goLocked(p.runJanitor)
	}
	p.provideLocked()
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
		base:     time.Now(),
		times:    times{latencies: new(latencies)},
		janitor: janitor{
			minIdle: cfg.MinIdle, minOpen: cfg.MinOpen, maxClosing: cfg.MaxClosing,
			checkAfterIdle: cfg.CheckAfterIdle, keepAlive: cfg.KeepAlive, leakAfter: cfg.LeakAfter,
			tick: cfg.Tick, lookedAt: time.Now().Round(0),
		},
		limits:  limits{maxOpen: cfg.MaxOpen, maxIdle: max(cfg.MaxIdle, 0), maxDialing: cfg.MaxDialing},
		dialer:  dialer{backoff: cfg.Backoff, breaker: cfg.Breaker, tells: cfg.OnBreaker != nil},
		stock:   stock{minIdle: cfg.MinIdle, minOpen: cfg.MinOpen},
		drained: make(chan struct{}),
	}
	p.waiters.gate, p.waiters.dials = &p.gate, &p.dialer
	p.share.limit, p.share.pool, p.share.gate, p.share.idle = limit, p, &p.gate, &p.roster
	if cfg.MaxIdle == 0 {
		p.limits.maxIdle = math.MaxInt
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.functions.ctx, p.cancel = insideCtx{ctx, p}, cancel
	p.stock.look()
	if cfg.Name != "" {
		p.labels = pprof.WithLabels(context.Background(), pprof.Labels("poundlock", cfg.Name))
	}
	p.roster.init(n, cfg.Order)
	p.functions.name = cfg.Name
	if cfg.MaxUses > 0 && cfg.MaxUses < math.MaxUint64>>useShift {
		p.lastWord = cfg.MaxUses<<useShift | stateLent
	}
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

// now reads the pool's clock.
func (p *Pool[C]) now() time.Duration { return time.Since(p.base) }

// usageLocked returns how the slots are used.
func (p *Pool[C]) usageLocked() usage {
	return usage{conns: len(p.roster.all()), dialing: p.dialer.under, closing: p.closing.n()}
}

// lock is mu.Lock for where many come at once. The sections under mu are far
// shorter than a switch of goroutines, but sync.Mutex does not spin while others
// are runnable on this processor, which is so whenever many wait; and one who
// sleeps here may hold a connection (p99 of .../hold=1us).
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
	wake := p.waiters.takeGranted()
	if p.share.limit == nil {
		p.mu.Unlock()
		wakeAll(wake)
		return
	}
	if p.share.lacks && p.waiters.unserved() <= 0 && !p.warmers.any() {
		p.share.lack(false) // the waiter that lacked it has left, or was served
	}
	due := p.share.takeDues()
	p.mu.Unlock()
	wakeAll(wake)
	p.share.settle(due)
}

func wakeAll[C any](wake *waiter[C]) {
	for wake != nil {
		w := wake
		wake = w.next // before the send: after it, w belongs to its waiter
		w.ch <- struct{}{}
	}
}

// goLocked starts a goroutine that Close waits for.
func (p *Pool[C]) goLocked(f func()) {
	p.tasks++
	go func() {
		defer func() {
			p.mu.Lock()
			p.tasks--
			p.drainLocked()
			p.unlock()
		}()
		if p.labels != nil {
			pprof.SetGoroutineLabels(p.labels)
		}
		f()
	}()
}

// freeSlotLocked is called after a slot became free, which the limiter may have promised.
func (p *Pool[C]) freeSlotLocked(promised bool) {
	p.share.free(promised)
	p.stock.look()
	p.surplusLocked()
	p.provideLocked()
	p.drainLocked()
}

// surplusLocked raises the gate while a release may have to close something.
func (p *Pool[C]) surplusLocked() {
	p.gate.set(gateSurplus, p.limits.surplus(p.usageLocked()))
}

// poke looks again at what waiters need.
func (p *Pool[C]) poke() {
	p.mu.Lock()
	p.provideLocked()
	p.unlock()
}
