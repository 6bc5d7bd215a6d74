package objpool

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/internal/stats"
)

// Pool keeps objects for reuse: at most Max of them, for as long as it takes, with
// exact books. Make one with [New]; the zero Pool panics when used.
//
// All methods are safe for concurrent use, also from within the functions of
// [Config]. What happens before a Put of an object happens before the Get that
// returns it. Objects mostly come back newest first, which is good for caches, but no
// order is promised.
type Pool[T any] struct {
	_ noCopy

	// Read by every Get and Put, written almost never.

	// mags is where the P finds its magazine (pinned engine): the one that it owns,
	// or none, which is always empty and has no capacity, so that the fast paths need
	// no other test. It is written under mu.
	mags []atomic.Pointer[magazine[T]]
	none *magazine[T]

	quick   atomic.Uint32 // which fast paths may find something in mags: see setQuick
	nilable bool          // T has a nil, and it is the first word
	onGet   bool          // Validate or Debug looks at what Get takes out
	onPut   bool          // Reset, Size or Debug looks at what Put brings

	stripes   []*magazine[T] // portable engine: a power of two; nil in the pinned one
	hashShift uint8          // 32 - log2(len(stripes))
	salt      atomic.Uint32  // moves goroutines between stripes

	cfg Config[T]
	dbg *debugger[T] // nil without Debug

	_ stats.Pad

	// mu guards the central stack and all that follows. No user function runs and
	// nobody waits under it, save for the world to stop.
	//
	// What a visit to a pool without magazines writes comes first: two Ps that take
	// turns there hand each other one cache line (bench case handoff/queue=128).
	mu sync.Mutex

	// items is the central stack, newest last; sizes its bytes, if Size is set.
	//
	// Invariant: len(items) + granted + reserved <= max, hence the objects retained
	// never exceed max: each magazine is at most as long as its capacity.
	items  []T
	visits uint32 // by all, while no magazine is granted
	closed bool
	books  books

	max      int
	granted  int // sum of the capacities of all magazines
	reserved int // room promised to Prewarm
	sizes    []int64
	bytes    int64

	magCap   int            // capacity of a new magazine, 0 if there are to be none
	spare    *magazine[T]   // made before it is needed, as a pinned P had better not allocate
	own      []*magazine[T] // pinned engine: by P, none where it has none
	earned   []uint32       // by magazine: visits to mu since the last gather
	earnNeed uint32         // visits that earn a magazine
	lastPops uint64         // pops at the last gather

	idle idleTrim
}

// noCopy makes go vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// New returns an empty pool, or an error that names the field of cfg that is wrong.
func New[T any](cfg Config[T]) (*Pool[T], error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Pool[T]{
		cfg:     cfg,
		max:     cfg.Max,
		nilable: isNilable[T](),
		dbg:     newDebugger(&cfg),
	}
	p.onGet = cfg.Validate != nil || p.dbg != nil
	p.onPut = cfg.Reset != nil || cfg.Size != nil || p.dbg != nil
	p.initEngine()
	p.initCentral()
	p.books.lastReset = time.Now()
	return p, nil
}

// Get returns a retained object, or a new one if none is retained. It never waits
// for one and never fails: on a closed pool it returns what New makes.
//
// If New, Validate or OnDiscard panics, so does Get; an object that was being
// looked at is given up.
func (p *Pool[T]) Get() T {
	if pinnedBuild && p.quick.Load()&quickGet != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags)) {
			m := p.mags[id].Load()
			if s := m.state; s&lenMask != 0 {
				v := m.pop(s)
				rt.Unpin()
				return v
			}
		}
		rt.Unpin()
	}
	return p.getSlow()
}

// TryGet returns a retained object, or false if none is retained. It never calls
// New. A false counts as a miss.
func (p *Pool[T]) TryGet() (T, bool) {
	v, ok := p.take(true)
	if ok && p.onGet {
		return p.tryChecked(v)
	}
	return v, ok
}

// Put gives v back and reports whether the pool kept it. It does not if the pool
// retains its Max already, is closed, v is nil, or Reset or MaxBytes is against it;
// OnDiscard is then called with v (but not for nil) before Put returns. Objects that
// did not come from the pool are welcome.
//
// After Put the caller must not use v again, kept or not.
func (p *Pool[T]) Put(v T) bool {
	if pinnedBuild && !(p.nilable && isNil(&v)) && p.quick.Load()&quickPut != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags)) {
			m := p.mags[id].Load()
			if s := m.state; s&lenMask < m.capacity {
				m.push(s, v)
				rt.Unpin()
				return true
			}
		}
		rt.Unpin()
	}
	return p.putSlow(v)
}

// Do calls f with an object from the pool, puts the object back and returns what f
// returned. If f panics or ends the goroutine, the object is discarded, as nobody
// knows its state, and the panic goes on. A nil f panics.
func (p *Pool[T]) Do(f func(T) error) error {
	if f == nil {
		panic("objpool: Do of a nil function")
	}
	v := p.Get()
	returned := false
	defer func() {
		if returned {
			p.Put(v)
		} else {
			p.reject(v, ReasonPanicked)
		}
	}()
	err := f(v)
	returned = true
	return err
}

// isNil reports whether v's first word is 0. T must be nilable.
func isNil[T any](v *T) bool {
	return *(*unsafe.Pointer)(unsafe.Pointer(v)) == nil
}
