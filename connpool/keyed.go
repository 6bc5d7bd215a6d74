package connpool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// KeyedConfig says how a [Keyed] works. Only Dial and Pool.Close are required.
type KeyedConfig[K comparable, C any] struct {
	// Name appears in KeyedStats. Default: Pool.Name.
	Name string
	// Dial opens a connection to the given key; see Config.Dial.
	Dial func(context.Context, K) (C, error)
	// Pool is the configuration of every key's pool; its Dial must be nil.
	Pool Config[C]
	// ForKey may change the configuration for one key: its limits, hooks, name.
	// It runs when the key appears, and may run twice if two calls use the key first
	// at once. What it gets has no Dial, and the Tick is Pool's for all keys. What New
	// would refuse is the error of the call that used the key; a panic reaches that
	// call. Nil: all keys are alike.
	ForKey func(K, Config[C]) Config[C]
	// MaxTotal bounds the slots in use over all keys: at the bound, a key that
	// needs one more gets that of an idle connection of the key that was used
	// least recently, or waits for one that is returned. Default: no bound.
	MaxTotal int
	// KeyIdleTimeout is how long a key may be without an Acquire until its idle
	// connections are closed and, with nothing on loan, it vanishes. Default:
	// Pool.IdleTimeout, else 5 minutes. Negative: a key vanishes only when it has
	// no connection left by other limits.
	KeyIdleTimeout time.Duration
}

// Keyed is one pool per key (an address, a tenant) under a common limit. Keys need
// not be declared: one appears with its first Acquire and vanishes when unused.
// All methods are safe for concurrent use.
//
// An Acquire costs what [Pool.Acquire] costs plus a look-up in a map without a
// lock, and under MaxTotal a note of the order of use. A goroutine that holds
// connections of one key while it waits for another's can deadlock with its like
// when MaxTotal is reached; bound such waits by ctx.
type Keyed[K comparable, C any] struct {
	cfg       KeyedConfig[K, C]
	limit     *limiter
	ctx       context.Context
	cancel    context.CancelFunc
	ended     chan struct{} // closed when the janitor has returned
	done      chan struct{} // closed when the closed Keyed has nothing left
	clock     atomic.Uint64 // counts changes of the key in use
	last      atomic.Pointer[keyPool[K, C]]
	latencies latencies
	index     sync.Map // what pools holds, for look-ups that write nothing shared (connpool/keyed)

	mu     sync.RWMutex // guards all below; taken before a Pool.mu, never after
	pools  map[K]*keyPool[K, C]
	closed bool
	gone   Stats // the counters of the keys that vanished
}

// keyPool is the pool of one key.
type keyPool[K comparable, C any] struct {
	key  K
	pool *Pool[C]

	// Of the janitor alone.
	seen   uint64
	seenAt time.Time
}

// NewKeyed returns a Keyed without keys, or an error that names the field of cfg
// that is wrong.
func NewKeyed[K comparable, C any](cfg KeyedConfig[K, C]) (*Keyed[K, C], error) {
	switch {
	case cfg.Dial == nil:
		return nil, errors.New("connpool: Dial is nil")
	case cfg.Pool.Dial != nil:
		return nil, errors.New("connpool: Pool.Dial must be nil in a KeyedConfig")
	case cfg.MaxTotal < 0:
		return nil, fmt.Errorf("connpool: MaxTotal %d is negative", cfg.MaxTotal)
	}
	probe := cfg.Pool
	probe.Dial = func(context.Context) (c C, err error) { return }
	probe, err := probe.withDefaults()
	if err != nil {
		return nil, err
	}
	if cfg.KeyIdleTimeout == 0 {
		cfg.KeyIdleTimeout = cmp.Or(cfg.Pool.IdleTimeout, 5*time.Minute)
	}
	k := &Keyed[K, C]{
		cfg: cfg, pools: make(map[K]*keyPool[K, C]), ended: make(chan struct{}), done: make(chan struct{}),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	if cfg.MaxTotal > 0 {
		k.limit = newLimiter(cfg.MaxTotal)
	}
	go k.janitor(probe.Tick)
	return k, nil
}

// Acquire lends a connection of the given key, as [Pool.Acquire] does. It returns
// an error for a key that is not equal to itself (NaN), and panics for one that
// cannot be compared (a slice in an interface); so do the other methods.
func (k *Keyed[K, C]) Acquire(ctx context.Context, key K) (Conn[C], error) {
	for {
		kp, err := k.get(key)
		if err != nil {
			return Conn[C]{}, err
		}
		c, err := kp.pool.Acquire(ctx)
		if err == nil || !k.vanished(err) {
			return c, err
		}
	}
}

// TryAcquire lends an idle connection of the given key, as [Pool.TryAcquire] does.
func (k *Keyed[K, C]) TryAcquire(key K) (Conn[C], error) {
	for {
		kp, err := k.get(key)
		if err != nil {
			return Conn[C]{}, err
		}
		c, err := kp.pool.TryAcquire()
		if err == nil || !k.vanished(err) {
			return c, err
		}
	}
}

// Do lends a connection of the given key to f, as [Pool.Do] does.
func (k *Keyed[K, C]) Do(ctx context.Context, key K, f func(context.Context, C) error) error {
	c, err := k.Acquire(ctx, key)
	if err != nil {
		return err
	}
	return c.do(ctx, f)
}

// Warm opens connections of the given key until n are open, as [Pool.Warm] does.
func (k *Keyed[K, C]) Warm(ctx context.Context, key K, n int) error {
	for {
		kp, err := k.get(key)
		if err != nil {
			return err
		}
		if err = kp.pool.Warm(ctx, n); err == nil || !k.vanished(err) {
			return err
		}
	}
}

// Evict closes connections of every key, as [Pool.Evict] does.
func (k *Keyed[K, C]) Evict(pred func(K, Info) bool) int {
	n := 0
	for _, kp := range k.list() {
		var of func(Info) bool
		if pred != nil {
			of = func(i Info) bool { return pred(kp.key, i) }
		}
		n += kp.pool.Evict(of)
	}
	return n
}

// Reset replaces all connections of the given key, as [Pool.Reset] does. If the key has
// no pool, Reset does nothing.
func (k *Keyed[K, C]) Reset(key K) {
	if kp := k.find(key); kp != nil {
		kp.pool.Reset()
	}
}

// find returns the pool of a key, or nil. It panics if the key cannot be compared, while no
// lock is held.
func (k *Keyed[K, C]) find(key K) *keyPool[K, C] {
	v, _ := k.index.Load(key)
	kp, _ := v.(*keyPool[K, C])
	return kp
}

// Keys returns the keys that have a pool now, in no order; of a closed Keyed those
// that had one.
func (k *Keyed[K, C]) Keys() []K {
	k.mu.RLock()
	defer k.mu.RUnlock()
	keys := make([]K, 0, len(k.pools))
	for key := range k.pools {
		keys = append(keys, key)
	}
	return keys
}

// Close ends the pools of all keys, as [Pool.Close] does.
func (k *Keyed[K, C]) Close() error { return k.Shutdown(context.Background()) }

// Shutdown is Close with a bound, as [Pool.Shutdown] is.
// Its error holds a [*ShutdownError] for each key that had something left.
func (k *Keyed[K, C]) Shutdown(ctx context.Context) error {
	ctxerr.NotNil(ctx, "connpool")
	for _, kp := range k.list() {
		if inside(ctx, kp.pool) {
			return ErrInside
		}
	}
	k.mu.Lock()
	first := !k.closed
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	pools := k.list()
	if first {
		go func() {
			for _, kp := range pools {
				<-kp.pool.Done()
			}
			<-k.ended
			close(k.done)
		}()
	}
	for _, kp := range pools {
		kp.pool.startClose()
	}
	var errs []error
	for _, kp := range pools {
		if err := kp.pool.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("key %v: %w", kp.key, err))
		}
	}
	if len(errs) == 0 {
		<-k.done
	}
	return errors.Join(errs...)
}

// Done returns a channel that is closed when a Keyed that was told to close has
// nothing left: what Close waits for.
func (k *Keyed[K, C]) Done() <-chan struct{} { return k.done }

// get returns the pool of key, and makes it if there is none.
func (k *Keyed[K, C]) get(key K) (*keyPool[K, C], error) {
	var kp *keyPool[K, C]
	if v, ok := k.index.Load(key); ok {
		kp = v.(*keyPool[K, C]) // of a closed Keyed, its pool is closed too
	} else {
		var err error
		if kp, err = k.make(key); err != nil {
			return nil, err
		}
	}
	// Only at MaxTotal does the order of use matter. A run of uses of one key moves
	// it to the front once.
	if k.limit != nil && k.last.Load() != kp {
		k.last.Store(kp)
		kp.pool.core.share.used.Store(k.clock.Add(1))
	}
	return kp, nil
}

// make makes the pool of key. Of several at once, one wins; a pool that was never
// used holds nothing that must be closed but its ctx.
func (k *Keyed[K, C]) make(key K) (*keyPool[K, C], error) {
	if key != key { // NaN: it would be made anew with each call
		return nil, errors.New("connpool: the key is not equal to itself")
	}
	cfg := k.cfg.Pool
	if k.cfg.ForKey != nil {
		cfg = k.cfg.ForKey(key, cfg)
	}
	cfg.Dial = func(ctx context.Context) (C, error) { return k.cfg.Dial(ctx, key) }
	p, err := newPool(cfg, k.limit)
	if err != nil {
		return nil, err
	}
	p.core.share.name = func() string { return fmt.Sprint(key) }
	p.times.latencies = &k.latencies
	k.mu.Lock()
	defer k.mu.Unlock()
	if kp := k.pools[key]; kp != nil || k.closed {
		p.cancel()
		if k.closed {
			return nil, ErrClosed
		}
		return kp, nil
	}
	kp := &keyPool[K, C]{key: key, pool: p}
	k.pools[key] = kp
	k.index.Store(key, kp)
	return kp, nil
}

// vanished reports whether err came from a pool whose key vanished between get and
// use, so that the caller must look again.
func (k *Keyed[K, C]) vanished(err error) bool {
	if err != ErrClosed { // as the pool itself says it: a dial's error may wrap another's
		return false
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	return !k.closed
}

func (k *Keyed[K, C]) list() []*keyPool[K, C] {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := make([]*keyPool[K, C], 0, len(k.pools))
	for _, kp := range k.pools {
		all = append(all, kp)
	}
	return all
}

// janitor does the ticks of all pools, so that a key costs no goroutine.
func (k *Keyed[K, C]) janitor(tick time.Duration) {
	defer close(k.ended)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		for _, kp := range k.list() {
			kp.pool.tick()
			k.visit(kp, now)
		}
	}
}

// visit lets the key of kp vanish if it is unused.
func (k *Keyed[K, C]) visit(kp *keyPool[K, C], now time.Time) {
	activity, failing := kp.pool.activity()
	if activity != kp.seen || kp.seenAt.IsZero() {
		kp.seen, kp.seenAt = activity, now
		kp.pool.keepIdle(true)
		return
	}
	unused := now.Sub(kp.seenAt)
	if k.cfg.KeyIdleTimeout > 0 && unused >= k.cfg.KeyIdleTimeout {
		kp.pool.keepIdle(false)
		for kp.pool.evictIdle(ByIdleTime, 0) {
		}
	}
	if failing && unused < max(k.cfg.KeyIdleTimeout, time.Minute) {
		return // or the count of failures in a row would begin anew
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.closed && kp.pool.closeIfEmpty() {
		delete(k.pools, kp.key)
		k.index.Delete(kp.key)
		k.last.CompareAndSwap(kp, nil)
		s := kp.pool.counters()
		s.MaxOpen, s.DialFailures, s.Breaker = 0, 0, BreakerClosed
		k.gone.add(&s)
	}
}

// activity returns a number that changes when the pool is used, and whether its
// last dial failed. What the pool does by itself, for MinIdle, is no use.
func (p *Pool[C]) activity() (n uint64, failing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.core
	n = p.roster.census().uses + c.waiters.waits + c.n.rejected + c.n.notReady + c.n.warms
	return n, c.dialer.failures > 0
}

// keepIdle says whether MinIdle and MinOpen are kept.
func (p *Pool[C]) keepIdle(on bool) {
	p.mu.Lock()
	p.core.stock.off = !on
	p.mu.Unlock()
}

// closeIfEmpty closes the pool if it has no connection and nothing to do. Keyed.mu is
// held, so the limiter must not be called. It need not be: no waiter leaves its line.
func (p *Pool[C]) closeIfEmpty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.core
	if c.usage().open() > 0 || c.jobs.running > 0 || c.waiters.n > 0 || c.warmers.any() || c.share.dues.freed > 0 {
		return false
	}
	c.close()
	p.cancel()
	return true
}
