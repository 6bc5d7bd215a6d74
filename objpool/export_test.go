package objpool

import (
	"sync"
	"testing"
)

const PinnedBuild = pinnedBuild

// EachEngine runs f once for each engine that the build has; pools made in f have it.
func EachEngine(t *testing.T, f func(t *testing.T)) {
	for _, portable := range []bool{false, true} {
		name := "portable"
		if !portable {
			if !pinnedBuild {
				continue
			}
			name = "pinned"
		}
		t.Run(name, func(t *testing.T) {
			UsePortable(t, portable)
			f(t)
		})
	}
}

// UsePortable chooses the engine of the pools that t makes.
func UsePortable(t testing.TB, portable bool) {
	forcePortable = portable
	t.Cleanup(func() { forcePortable = false })
}

// Eager makes p lend room to magazines at the first visit, so that a test does not stay
// on the central stack.
func Eager[T any](p *Pool[T]) *Pool[T] {
	p.mu.Lock()
	p.minVisits = 0
	p.mu.Unlock()
	return p
}

// Lent returns the capacity that all magazines have together.
func Lent[T any](p *Pool[T]) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.central.lent
}

// IdleArmed reports whether the timer of IdleTimeout runs.
func IdleArmed[T any](p *Pool[T]) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.idle.armed
}

// CheckInside verifies the invariants of a pool that nobody uses.
func CheckInside[T any](t interface {
	Helper()
	Errorf(string, ...any)
}, p *Pool[T],
) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	lent, away := 0, 0
	for _, m := range p.mags.all() {
		n, c := m.len(), int(m.capacity)
		lent += c
		away += m.away
		if n > c || c > magSize {
			t.Errorf("magazine of %d with capacity %d", n, c)
		}
		if m == p.mags.none && (n != 0 || c != 0 || m.state != 0) {
			t.Errorf("the stand-in was used: %d of %d, state %d", n, c, m.state)
		}
	}
	s := &p.central
	if lent != s.lent || lent > s.max/4 {
		t.Errorf("capacities add up to %d, not %d, of max %d", lent, s.lent, s.max)
	}
	if away != s.away {
		t.Errorf("%d objects are away, not %d", away, s.away)
	}
	if quick := p.mags.quick.Load() != 0; quick != (lent > 0 && p.mags.stripes == nil) {
		t.Errorf("fast paths on: %v, with a capacity of %d in magazines", quick, lent)
	}
	if len(s.items)+s.lent+s.reserved > s.max {
		t.Errorf("%d items + %d lent + %d reserved > max %d", len(s.items), s.lent, s.reserved, s.max)
	}
	if p.cfg.Size != nil {
		sum := int64(0)
		for _, n := range s.sizes {
			sum += n
		}
		if sum != s.bytes || len(s.sizes) != len(s.items) {
			t.Errorf("%d sizes add up to %d, not %d for %d items", len(s.sizes), sum, s.bytes, len(s.items))
		}
	}
}

func DebugResidents[T any](p *Pool[T]) int {
	p.dbg.mu.Lock()
	defer p.dbg.mu.Unlock()
	return len(p.dbg.in)
}

func ClassMax(b *Bytes) (n []int) {
	for _, p := range b.classes {
		n = append(n, p.central.max)
	}
	return n
}

// SlowRetained counts what is retained as Stats does, but with pause after each
// magazine.
func SlowRetained[T any](p *Pool[T], pause func()) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mags.look()
	defer p.mags.thaw()
	n := len(p.central.items)
	for _, m := range p.mags.all() {
		if l := int(m.load() & lenMask); m.capacity > 0 {
			n += l
			pause()
		}
	}
	return n
}

// Stripe returns the stripe that a stack in the n-th 2 KiB of memory hashes to, of 8
// and after a number of encounters.
func Stripe(n uint32, met int) uint32 { return hashPlace(n, uint32(met)*saltStep) >> 29 }

// Stripes returns the locks of the first and the last stripe, nil in the pinned engine.
func Stripes[T any](p *Pool[T]) (first, last *sync.Mutex) {
	ss := p.mags.stripes
	if ss == nil {
		return nil, nil
	}
	return &ss[0].mu, &ss[len(ss)-1].mu
}

// InPlace returns how many Ps find a magazine of their own in the pinned engine.
func InPlace[T any](p *Pool[T]) (n int) {
	for i := range p.mags.at {
		if p.mags.at[i].Load() != p.mags.none {
			n++
		}
	}
	return n
}

// Leave makes all magazines look as if they belonged to Ps (or stripes) that nobody runs
// on: it turns them by one. The caller uses p alone.
func Leave[T any](p *Pool[T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.mags.all()
	last := all[len(all)-1]
	copy(all[1:], all)
	all[0] = last
	for i := range p.mags.at {
		p.mags.at[i].Store(p.mags.none)
	}
}
