package objpool_test

import (
	"bytes"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/objpool"
)

// A Resize below what a Prewarm under way was promised leaves no room. No magazine may
// be lent a negative capacity then, and the Prewarm fills what room there is.
func TestResizeBelowWhatPrewarmWasPromised(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		var p *objpool.Pool[*thing]
		inNew := func() {}
		p = newPool(t, objpool.Config[*thing]{Max: 1000, New: func() *thing {
			inNew()
			return new(thing)
		}})
		objpool.Eager(p)
		for range 100 {
			require.True(t, p.Put(new(thing)))
		}
		const bound = 200
		inNew = func() {
			inNew = func() {}
			require.NoError(t, p.Resize(bound))
			for range 10 {
				p.Put(new(thing))
			}
			for range 100 {
				p.Put(p.Get())
			}
			lent := objpool.Lent(p)
			require.True(t, 0 <= lent && lent <= bound/4, "%d lent", lent)
			for range 2 * bound {
				p.Put(new(thing))
			}
			s := p.Stats()
			require.NoError(t, s.Check())
			p.Trim(50)
		}
		p.Prewarm(900)
		s := p.Stats()
		require.NoError(t, s.Check())
		require.LessOrEqual(t, s.Retained, bound)
		objpool.CheckInside(t, p)
	})
}

// A Prewarm that a Resize overtook adds as many as there is room for still.
func TestPrewarmAfterASmallerResizeFillsWhatRoomThereIs(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var p *objpool.Pool[*thing]
		first := true
		p = newPool(t, objpool.Config[*thing]{Max: 1000, New: func() *thing {
			if first {
				first = false
				require.NoError(t, p.Resize(50))
			}
			return new(thing)
		}})
		require.Equal(t, 50, p.Prewarm(900))
		require.Equal(t, 50, p.Stats().Retained)
	})
}

// A buffer that was read from in part and grew too large is looked at like any other.
func TestDebugOfAPartlyReadLargeBuffer(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, d := range []objpool.Debug{objpool.DebugDoublePut, objpool.DebugUseAfterPut} {
			p := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{MaxSize: 100, Debug: d}))
			for _, n := range []int{50, 500} {
				b := bytes.NewBuffer(make([]byte, n))
				b.Next(10)
				require.True(t, p.Put(b))
			}
			require.EqualValues(t, 1, p.Replaced())
			require.NoError(t, p.Close())
		}
	})
}

// Once Reset has put another object in its place, that one is given up if Size panics:
// what Put was given is Reset's.
func TestPanicInSizeDiscardsWhatResetReturned(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		other := &thing{id: 2}
		var gone []*thing
		p := newPool(t, objpool.Config[*thing]{
			Reset:     func(*thing) (*thing, bool) { return other, true },
			Size:      func(*thing) int { panic("size") },
			OnDiscard: func(v *thing, r objpool.Reason) { gone = append(gone, v); require.Equal(t, objpool.ReasonPanicked, r) },
		})
		require.PanicsWithValue(t, "size", func() { p.Put(&thing{id: 1}) })
		require.Equal(t, []*thing{other}, gone)
	})
}

// What Prewarm made and cannot keep since Size panics is given up, not lost.
func TestPanicInSizeDiscardsWhatPrewarmMade(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, end := range []func(){func() { panic("size") }, runtime.Goexit} {
			var made, gone []*thing
			p := newPool(t, objpool.Config[*thing]{
				New:       func() *thing { v := new(thing); made = append(made, v); return v },
				Size:      func(*thing) int { end(); return 0 },
				OnDiscard: func(v *thing, r objpool.Reason) { gone = append(gone, v); require.Equal(t, objpool.ReasonTrimmed, r) },
			})
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				p.Prewarm(3)
			}()
			<-done
			require.Len(t, made, 1)
			require.Equal(t, made, gone)
			s := p.Stats()
			require.EqualValues(t, 1, s.Prewarmed)
			require.EqualValues(t, 1, s.Discards.Trimmed)
			require.NoError(t, s.Check())
		}
	})
}

// Prewarm asks for the Size of a nil that New made as little as Put does.
func TestPrewarmOfNil(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{
			New:  func() *thing { return nil },
			Size: func(v *thing) int { return v.id },
		})
		require.Zero(t, p.Prewarm(3))
		require.False(t, p.Put(p.Get()))
		require.Equal(t, objpool.DefaultMax, p.Stats().Max)
	})
}

// However many objects OnDiscard panics for, all are discarded, the first panic reaches
// the caller, and the stack does not grow with their number.
func TestPanicInEveryOnDiscard(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		const n = 200_000
		gone := 0
		p := objpool.Must(objpool.New(objpool.Config[int]{
			Max: n, New: func() int { return 1 },
			OnDiscard: func(int, objpool.Reason) { gone++; panic(gone) },
		}))
		p.Prewarm(n)
		start := time.Now()
		require.PanicsWithValue(t, 1, func() { p.Clear() })
		t.Log(time.Since(start))
		require.Equal(t, n, gone)
		require.Zero(t, p.Stats().Retained)
	})
}

// funcSource is a Source that is not a pointer.
type funcSource func() int

func (f funcSource) Stats() objpool.Stats { return objpool.Stats{Retained: f()} }
func (f funcSource) Clear() int           { return f() }

// A pool whose Clear panics does not keep the others from being cleared.
func TestClearAllBesideAPanic(t *testing.T) {
	var r objpool.Registry
	cleared := 0
	for i := range 10 {
		require.NoError(t, r.Register(string(rune('a'+i)), funcSource(func() int {
			cleared++
			if i%3 == 0 {
				panic("no")
			}
			return 1
		})))
	}
	require.PanicsWithValue(t, "no", func() { r.ClearAll() })
	require.Equal(t, 10, cleared)
	require.ErrorContains(t, r.Register("none", funcSource(nil)), "nil pool")
}

// Whichever of two calls of Resize was the last, the shares are all its own.
func TestBytesResizesDoNotMix(t *testing.T) {
	sizes := []int64{4 << 20, 256 << 20}
	var want [][]int
	for _, n := range sizes {
		b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{MaxBytes: n}))
		want = append(want, objpool.ClassMax(b))
	}
	b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{}))
	for range 20_000 {
		var wg sync.WaitGroup
		var there atomic.Int32
		for _, n := range sizes {
			wg.Go(func() {
				for there.Add(1); there.Load() < 2; { // both begin at once
					runtime.Gosched()
				}
				_ = b.Resize(n)
			})
		}
		wg.Wait()
		if got := objpool.ClassMax(b); !slices.Equal(got, want[0]) && !slices.Equal(got, want[1]) {
			t.Fatalf("%v is of neither %v nor %v", got, want[0], want[1])
		}
	}
}
