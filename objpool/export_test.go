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

// Eager makes p grant magazines at the first visit, so that a test does not stay on
// the central stack.
func Eager[T any](p *Pool[T]) *Pool[T] {
	p.mu.Lock()
	p.earnNeed = 1
	p.mu.Unlock()
	return p
}

// Granted returns the capacity that all magazines have together.
func Granted[T any](p *Pool[T]) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.granted
}

// EarnNeed returns what a magazine costs now.
func EarnNeed[T any](p *Pool[T]) uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.earnNeed
}

// IdleArmed reports whether the timer of IdleTTL runs.
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
	granted := 0
	for _, m := range p.magazines() {
		n, c := m.len(), int(m.capacity)
		granted += c
		if n > c || c > magSize {
			t.Errorf("magazine of %d with capacity %d", n, c)
		}
		if m == p.none && (n != 0 || c != 0 || m.state != 0) {
			t.Errorf("the stand-in was used: %d of %d, state %d", n, c, m.state)
		}
	}
	if granted != p.granted {
		t.Errorf("capacities add up to %d, not %d", granted, p.granted)
	}
	if quick := p.quick.Load() != 0; quick != (granted > 0 && p.stripes == nil) {
		t.Errorf("fast paths on: %v, with a capacity of %d in magazines", quick, granted)
	}
	if len(p.items)+p.granted+p.reserved > p.max {
		t.Errorf("%d items + %d granted + %d reserved > max %d", len(p.items), p.granted, p.reserved, p.max)
	}
	if p.cfg.Size != nil {
		sum := int64(0)
		for _, n := range p.sizes {
			sum += n
		}
		if sum != p.bytes || len(p.sizes) != len(p.items) {
			t.Errorf("%d sizes add up to %d, not %d for %d items", len(p.sizes), sum, p.bytes, len(p.items))
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
		n = append(n, p.max)
	}
	return n
}

// SlowRetained counts what is retained as Stats does, but with pause after each
// magazine.
func SlowRetained[T any](p *Pool[T], pause func()) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.look()
	defer p.thaw()
	n := len(p.items)
	for _, m := range p.magazines() {
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
	if p.stripes == nil {
		return nil, nil
	}
	return &p.stripes[0].mu, &p.stripes[len(p.stripes)-1].mu
}

// InPlace returns how many Ps find a magazine of their own in the pinned engine.
func InPlace[T any](p *Pool[T]) (n int) {
	for i := range p.mags {
		if p.mags[i].Load() != p.none {
			n++
		}
	}
	return n
}
