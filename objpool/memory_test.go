package objpool_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/heaptest"
	"github.com/poundlock/poundlock/objpool"
)

type value1K [1 << 10]byte

// However a burst of large values ended, its space goes with it.
func TestSpaceOfABurstGoesBack(t *testing.T) {
	const n = 20_000
	for _, c := range []struct {
		name string
		end  func(p *objpool.Pool[value1K])
	}{
		{"cleared", func(p *objpool.Pool[value1K]) { p.Clear() }},
		{"trimmed", func(p *objpool.Pool[value1K]) { p.Trim(n) }},
		{"resized", func(p *objpool.Pool[value1K]) { _ = p.Resize(8) }},
		{"closed", func(p *objpool.Pool[value1K]) { _ = p.Close() }},
		{"taken", func(p *objpool.Pool[value1K]) {
			for range n {
				p.Get()
			}
			for range 3000 { // and used a little
				p.Put(p.Get())
			}
		}},
		{"taken, then cleared", func(p *objpool.Pool[value1K]) {
			for range n - 1 {
				p.Get()
			}
			p.Clear()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			objpool.EachEngine(t, func(t *testing.T) {
				before := heaptest.Live()
				p := objpool.Must(objpool.New(objpool.Config[value1K]{
					New: func() value1K { return value1K{} }, Max: n,
				}))
				for range n {
					p.Put(value1K{})
				}
				require.Greater(t, heaptest.Live()-before, int64(n<<10), "the test must see the burst")
				c.end(p)
				require.Less(t, heaptest.Live()-before, int64(128<<10))
				runtime.KeepAlive(p)
			})
		})
	}
}

type value256K [256 << 10]byte

// One value costs its own space, and not that of a magazine for each P or stripe.
func TestOneLargeValueCostsItsOwnSpace(t *testing.T) {
	for _, bound := range []int{1, 1000} {
		objpool.EachEngine(t, func(t *testing.T) {
			before := heaptest.Live()
			p := objpool.Must(objpool.New(objpool.Config[value256K]{
				New: func() value256K { return value256K{} }, Max: bound,
			}))
			for range 1000 {
				p.Put(p.Get())
			}
			require.Less(t, heaptest.Live()-before, int64(3*256<<10), "Max %d", bound)
			runtime.KeepAlive(p)
		})
	}
}

// Magazines keep no space either once nothing is in them.
func TestMagazinesGiveTheirSpaceBack(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		before := heaptest.Live()
		var all []*objpool.Pool[[32]uint64]
		for range 200 {
			p := objpool.Must(objpool.New(objpool.Config[[32]uint64]{New: func() (v [32]uint64) { return }}))
			for range 2000 {
				p.Put(p.Get())
			}
			require.Positive(t, objpool.Lent(p))
			p.Clear()
			all = append(all, p)
		}
		perPool := (heaptest.Live() - before) / int64(len(all))
		require.Less(t, perPool, int64(12<<10))
		runtime.KeepAlive(all)
	})
}

// Large values do not allocate where they come and go in the same number.
func TestSteadyBurstsOfLargeValuesAllocateNothing(t *testing.T) {
	p := objpool.Must(objpool.New(objpool.Config[*value1K]{New: func() *value1K { return new(value1K) }, Max: 1000}))
	var held [200]*value1K
	burst := func() {
		for i := range held {
			held[i] = p.Get()
		}
		for _, v := range held {
			p.Put(v)
		}
	}
	for range 100 {
		burst()
	}
	require.Zero(t, testing.AllocsPerRun(100, burst))
}
