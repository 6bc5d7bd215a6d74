package objpool

import (
	"math/bits"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/poundlock/poundlock/internal/rt"
)

// Two engines own magazines in two ways:
//
//   - pinned: magazine i belongs to P i; its owner is the goroutine that is pinned
//     there and found it in at[i]. No atomic read-modify-write and no lock is on the
//     fast path.
//   - portable: goroutines spread over magazines by the address of their stack, and
//     each magazine has a mutex.
//
// Everything beyond owning a magazine is common to both.

// pinnedBuild says that this build uses the pinned engine: package rt knows the
// compiler and the version of Go, and the words are of 64 bits, because
// magazine.state is stored without atomics. All others use the portable one.
const pinnedBuild = rt.Pinned && bits.UintSize == 64

// forcePortable makes New choose the portable engine in any build. Tests set it.
var forcePortable bool

// minPs is how many Ps get a magazine at least, in case GOMAXPROCS grows. A P
// beyond the array works on the central stack.
const minPs = 16

// magazines are all magazines of a pool, and the way to own one.
//
// # How a magazine changes hands in the pinned engine
//
// A P owns its magazine only within a pinned section that found it in at. Whoever
// holds Pool.mu may put none in its place (take it out of reach), which stops nobody:
// the P comes to Pool.mu at its next use, and puts the magazine back itself, pinned
// (enter). Until it does, no new pinned section finds the magazine, but one that began
// before may still run, for as long as the operating system does not run its thread.
// So Pool.mu owns a magazine out of reach only when one of these has happened since:
//
//   - The world has stopped, in which state no P is pinned. Clear, Resize, Trim and
//     Close stop it (freeze).
//   - The garbage collector has stopped it anyway: a grace period is over (rt.Grace).
//     This is how a magazine comes back whose P never uses the pool again.
//
// A recall is a magazine out of reach with the mark recalled: the P that comes gives
// all objects and all room back first. So a P that uses the pool answers a recall at
// its next use, and a P that does not, after the next garbage collection.
type magazines[T any] struct {
	// at is where the P finds its magazine: the one that it owns, or none, which is
	// always empty and has no capacity, so that the fast paths need no other test.
	// It is written under Pool.mu.
	at   []atomic.Pointer[magazine[T]]
	none *magazine[T]

	quick atomic.Uint32 // which fast paths may find something in at: see setQuick

	own []*magazine[T] // by P, none where it has none; nil in the portable engine

	stripes   []*magazine[T] // portable engine: a power of two; nil in the pinned one
	hashShift uint8          // 32 - log2(len(stripes))
	salt      atomic.Uint32  // moves goroutines between stripes

	spare *magazine[T] // made before it is needed, as a pinned P had better not allocate
	slots *[magSize]T  // likewise
}

func (ms *magazines[T]) init() {
	ms.none = new(magazine[T])
	procs := max(runtime.GOMAXPROCS(0), runtime.NumCPU())
	if pinnedBuild && !forcePortable {
		n := max(procs, minPs)
		ms.at = make([]atomic.Pointer[magazine[T]], n)
		ms.own = make([]*magazine[T], n)
		for i := range n {
			ms.at[i].Store(ms.none)
			ms.own[i] = ms.none
		}
		return
	}
	// Four stripes per P keep chance meetings of two goroutines rare.
	lg := bits.Len(uint(min(4*procs, 128) - 1))
	ms.hashShift = uint8(32 - lg)
	ms.stripes = make([]*magazine[T], 1<<lg)
	for i := range ms.stripes {
		ms.stripes[i] = new(magazine[T])
	}
}

// Bits of magazines.quick. A pool whose bits are 0 is spared the pinning: it works on
// the central stack, or is for the hooks to look at first.
const (
	quickGet = 1 << iota // for Get, which has nothing to do but take an object out
	quickPut             // for Put, which has nothing to do but put it in
	quickAny             // for all others
)

// setQuick sets quick anew after a change of central.lent. It is a hint: a fast path
// that sees it late finds nothing in at, or comes to Pool.mu.
func (ms *magazines[T]) setQuick(lent int, onGet, onPut bool) {
	q := uint32(0)
	if lent > 0 && ms.stripes == nil {
		q = quickAny
		if !onGet {
			q |= quickGet
		}
		if !onPut {
			q |= quickPut
		}
	}
	if ms.quick.Load() != q {
		ms.quick.Store(q)
	}
}

// all returns all magazines of either engine; none stands for a P that has none.
func (ms *magazines[T]) all() []*magazine[T] {
	if ms.stripes != nil {
		return ms.stripes
	}
	return ms.own
}

// prepare allocates what a visit may need that lends capacity.
func (ms *magazines[T]) prepare() {
	if ms.spare == nil && ms.stripes == nil {
		ms.spare = new(magazine[T])
	}
	if ms.slots == nil {
		ms.slots = new([magSize]T)
	}
}

// enter makes the caller, who holds Pool.mu, the owner of the local magazine until
// exit. It returns none where there is no place for one.
func (ms *magazines[T]) enter() *magazine[T] {
	if ms.stripes != nil {
		return ms.lockStripe()
	}
	id := rt.Pin()
	if uint(id) >= uint(len(ms.own)) {
		return ms.none
	}
	m := ms.own[id]
	if m == ms.none && ms.spare != nil {
		m, ms.spare = ms.spare, nil
		ms.own[id] = m
	}
	ms.at[id].Store(m) // it may have been taken out of reach
	return m
}

func (ms *magazines[T]) exit(m *magazine[T]) {
	if ms.stripes != nil {
		m.mu.Unlock()
		return
	}
	rt.Unpin()
}

// lockStripe locks a magazine of the portable engine: the one that the goroutine's
// stack address points at, or its neighbour if that one is taken.
func (ms *magazines[T]) lockStripe() *magazine[T] {
	mask := len(ms.stripes) - 1
	i := int(stackHash(ms.salt.Load()) >> (ms.hashShift & 31))
	m := ms.stripes[i]
	if m.mu.TryLock() {
		return m
	}
	// Two goroutines met. Another salt most likely parts them for good
	// (TestAnotherSaltPartsGoroutinesThatMet).
	ms.salt.Add(saltStep)
	if n := ms.stripes[(i+1)&mask]; n.mu.TryLock() {
		return n
	}
	m.mu.Lock()
	return m
}

// stackHash returns a hash of where the caller's stack is: cheap, and mostly the same
// for one goroutine and different for two. The smallest stack has 2 KiB.
func stackHash(salt uint32) uint32 {
	var here byte
	return hashPlace(uint32(uintptr(unsafe.Pointer(&here))>>11), salt)
}

// hashPlace returns a hash whose upper bits count. It mixes the salt in before the
// places are spread: two that share a stripe would go on to do so if it were added to
// their hashes. saltStep changes all bits.
func hashPlace(place, salt uint32) uint32 {
	return (place ^ salt) * golden
}

const (
	golden   = 0x9E3779B9 // 2^32 / the golden ratio
	saltStep = golden
)

// look makes the counters of all magazines safe to read for the caller, who holds
// Pool.mu and owns none, until thaw: together they are a consistent cut through the
// history of the pool (see Pool.Stats). It stops nobody.
func (ms *magazines[T]) look() {
	for _, m := range ms.stripes {
		m.mu.Lock()
	}
	for i, m := range ms.own {
		if m != ms.none {
			ms.at[i].Store(ms.none)
		}
	}
}

// freeze makes the caller, who holds Pool.mu and owns no magazine, the owner of all
// of them until thaw. It stops the world in the pinned engine.
func (ms *magazines[T]) freeze() {
	ms.look()
	if ms.stripes == nil {
		rt.WaitForPinned()
	}
}

// thaw gives the magazines back; in the pinned engine their owners fetch them when
// they next come to Pool.mu.
func (ms *magazines[T]) thaw() {
	for _, m := range ms.stripes {
		m.mu.Unlock()
	}
}

// recall asks the owners of all magazines but except, for which wanted is true of
// their length and capacity, to give everything back to c. It takes back at once what
// nobody owns: in the portable engine all of them, in the pinned one those that were
// recalled before the last garbage collection. The caller holds Pool.mu and owns no
// magazine.
func (ms *magazines[T]) recall(c *central[T], except *magazine[T], wanted func(length, capacity int) bool) {
	for _, m := range ms.stripes {
		m.mu.Lock()
		if m != except && wanted(m.len(), int(m.capacity)) {
			c.grow(m.len())
			c.takeBack(m)
		}
		m.mu.Unlock()
	}
	marked := 0
	for i, m := range ms.own {
		switch {
		case m.recalled && m.grace.Over():
			c.grow(m.len())
			c.takeBack(m)
			m.slots, m.visits = nil, 0
		case !m.recalled && m != except && m.capacity > 0 && wanted(int(m.load()&lenMask), int(m.capacity)):
			ms.at[i].Store(ms.none)
			m.recalled = true
			m.grace = rt.Grace{}
			marked++
		}
	}
	if marked == 0 {
		return
	}
	grace := rt.NewGrace() // after all of them went out of reach
	for _, m := range ms.own {
		if m.recalled && m.grace == (rt.Grace{}) {
			m.grace = grace
		}
	}
}
