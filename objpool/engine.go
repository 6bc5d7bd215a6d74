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
//     there and found it in Pool.mags. No atomic read-modify-write and no lock is on
//     the fast path. To take a magazine away from its P one puts the empty stand-in
//     in its place, and waits until the P is in no pinned section that began before
//     (rt.WaitForPinned).
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

func (p *Pool[T]) initEngine() {
	p.none = new(magazine[T])
	procs := max(runtime.GOMAXPROCS(0), runtime.NumCPU())
	if pinnedBuild && !forcePortable {
		n := max(procs, minPs)
		p.mags = make([]atomic.Pointer[magazine[T]], n)
		p.own = make([]*magazine[T], n)
		for i := range n {
			p.mags[i].Store(p.none)
			p.own[i] = p.none
		}
		p.earned = make([]uint32, n)
		return
	}
	// Four stripes per P keep chance meetings of two goroutines rare.
	lg := bits.Len(uint(min(4*procs, 128) - 1))
	p.hashShift = uint8(32 - lg)
	p.stripes = make([]*magazine[T], 1<<lg)
	for i := range p.stripes {
		p.stripes[i] = new(magazine[T])
	}
	p.earned = make([]uint32, len(p.stripes))
}

// Bits of Pool.quick. A pool whose bits are 0 is spared the pinning: it works on the
// central stack, or is for the hooks to look at first.
const (
	quickGet = 1 << iota // for Get, which has nothing to do but take an object out
	quickPut             // for Put, which has nothing to do but put it in
	quickAny             // for all others
)

// setQuick sets Pool.quick anew after granted changed from or to 0. It is a hint: a
// fast path that sees it late finds nothing in mags, or comes to mu.
func (p *Pool[T]) setQuick() {
	q := uint32(0)
	if p.granted > 0 && p.stripes == nil {
		q = quickAny
		if !p.onGet {
			q |= quickGet
		}
		if !p.onPut {
			q |= quickPut
		}
	}
	p.quick.Store(q)
}

// magazines returns all magazines of either engine; p.none stands for a P that has
// none.
func (p *Pool[T]) magazines() []*magazine[T] {
	if p.stripes != nil {
		return p.stripes
	}
	return p.own
}

// enter makes the caller, who holds p.mu, the owner of the local magazine until
// exit. It returns the magazine's index, and -1 with p.none where there is no place
// for one.
func (p *Pool[T]) enter() (*magazine[T], int) {
	if p.stripes != nil {
		return p.lockStripe()
	}
	id := rt.Pin()
	if uint(id) >= uint(len(p.own)) {
		return p.none, -1
	}
	m := p.own[id]
	if m.capacity > 0 {
		p.mags[id].Store(m) // Stats may have taken it out
	}
	return m, id
}

func (p *Pool[T]) exit(m *magazine[T]) {
	if p.stripes != nil {
		m.mu.Unlock()
		return
	}
	rt.Unpin()
}

// lockStripe locks a magazine of the portable engine: the one that the goroutine's
// stack address points at, or its neighbour if that one is taken.
func (p *Pool[T]) lockStripe() (*magazine[T], int) {
	mask := len(p.stripes) - 1
	i := int(stackHash(p.salt.Load()) >> (p.hashShift & 31))
	m := p.stripes[i]
	if m.mu.TryLock() {
		return m, i
	}
	// Two goroutines met. Another salt most likely parts them for good
	// (TestAnotherSaltPartsGoroutinesThatMet).
	p.salt.Add(saltStep)
	j := (i + 1) & mask
	if n := p.stripes[j]; n.mu.TryLock() {
		return n, j
	}
	m.mu.Lock()
	return m, i
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

// freeze makes the caller, who holds p.mu and owns no magazine, the owner of all
// of them until thaw.
func (p *Pool[T]) freeze() {
	// From here on every fast path finds nothing and comes to mu; those that began
	// before are over when none is pinned any more.
	p.look()
	if p.stripes == nil {
		rt.WaitForPinned()
	}
}

// thaw gives the magazines back; in the pinned engine their owners fetch them when
// they next come to mu.
func (p *Pool[T]) thaw() {
	for _, m := range p.stripes {
		m.mu.Unlock()
	}
}

// look makes the counters of all magazines safe to read for the caller, who holds
// p.mu, until thaw: together they are a consistent cut through the history of
// the pool (see Stats).
func (p *Pool[T]) look() {
	if p.stripes != nil {
		for _, m := range p.stripes {
			m.mu.Lock()
		}
		return
	}
	for i, m := range p.own {
		if m != p.none {
			p.mags[i].Store(p.none)
		}
	}
}
