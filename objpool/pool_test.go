package objpool_test

import (
	"errors"
	"math"
	"os"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/objpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long is set by POUNDLOCK_LONG=1 and makes the stress tests ten times as long.
var long = os.Getenv("POUNDLOCK_LONG") != ""

type thing struct {
	id   int
	data [48]byte
}

// newPool returns a pool of things that are numbered from 1 in the order made.
func newPool(t testing.TB, cfg objpool.Config[*thing]) *objpool.Pool[*thing] {
	t.Helper()
	if cfg.New == nil {
		n := 0
		cfg.New = func() *thing { n++; return &thing{id: n} }
	}
	p, err := objpool.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		objpool.CheckInside(t, p)
		s := p.Stats()
		require.NoError(t, s.Check())
		require.NoError(t, p.Close())
	})
	return p
}

func TestFirstGetOfAnEmptyPoolIsAMiss(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{})
		v := p.Get()
		require.Equal(t, 1, v.id)
		s := p.Stats()
		require.EqualValues(t, 1, s.Gets)
		require.EqualValues(t, 0, s.Hits)
		require.EqualValues(t, 1, s.Misses)
		require.Equal(t, 0, s.Retained, "no phantom object")
		require.Equal(t, 1, s.Outstanding)
		require.Zero(t, s.HitRate)

		_, ok := p.TryGet()
		require.False(t, ok)
		s = p.Stats()
		require.EqualValues(t, 2, s.Misses)
		require.Equal(t, 1, s.Outstanding, "a TryGet that fails hands out nothing")
		p.ResetStats()

		require.True(t, p.Put(v))
		require.Same(t, v, p.Get())
		require.Same(t, v, func() *thing { p.Put(v); return p.Get() }())
		p.Get()
		s = p.Stats()
		require.EqualValues(t, 3, s.Gets)
		require.EqualValues(t, 2, s.Hits)
		require.InDelta(t, 2./3, s.HitRate, 1e-9)
	})
}

func TestBoundIsExactAndPutSaysSo(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, bound := range []int{1, 2, 3, 7, 16, 17, 64, 1000} {
			var gone []int
			p := newPool(t, objpool.Config[*thing]{Max: bound, OnDiscard: func(v *thing, r objpool.Reason) {
				if r == objpool.ReasonFull {
					gone = append(gone, v.id)
				}
			}})
			// Once on the central stack, and then in magazines.
			for round := range 2 {
				for i := range bound + 5 {
					require.Equal(t, i < bound, p.Put(&thing{id: i}), "Max %d, round %d, Put %d", bound, round, i)
				}
				s := p.Stats()
				require.Equal(t, bound, s.Retained)
				require.Equal(t, bound, s.HighWater)
				require.Len(t, gone, 5)
				for range bound {
					_, ok := p.TryGet()
					require.True(t, ok)
				}
				_, ok := p.TryGet()
				require.False(t, ok)
				require.EqualValues(t, 5*(round+1), p.Stats().Discards.Full)
				objpool.Eager(p)
				gone = nil
			}
		}
	})
}

// Magazines keep the order too, but not when the goroutine moves to another.
func TestNewestComesFirst(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{})
		for i := range 25 {
			p.Put(&thing{id: i})
		}
		for i := 24; i >= 0; i-- {
			require.Equal(t, i, p.Get().id)
		}
		require.Zero(t, objpool.Lent(p))
	})
}

func TestConfigErrorsNameTheField(t *testing.T) {
	mk := func() *thing { return new(thing) }
	for want, cfg := range map[string]objpool.Config[*thing]{
		"objpool: New is nil":                   {},
		"objpool: Max -1 is negative":           {New: mk, Max: -1},
		"objpool: Max 2147483647 exceeds":       {New: mk, Max: math.MaxInt32},
		"objpool: IdleTimeout -1ns is negative": {New: mk, IdleTimeout: -1},
		"objpool: MaxBytes -1 is negative":      {New: mk, MaxBytes: -1},
		"objpool: MaxBytes 10 needs Size":       {New: mk, MaxBytes: 10},
		"objpool: Debug 77 is unknown":          {New: mk, Debug: 77},
	} {
		p, err := objpool.New(cfg)
		require.ErrorContains(t, err, want)
		require.Nil(t, p)
	}
	_, err := objpool.New(objpool.Config[int]{New: func() int { return 1 }, Debug: objpool.DebugDoublePut})
	require.ErrorContains(t, err, "identity, which int has not")
	_, err = objpool.New(objpool.Config[*struct{}]{New: func() *struct{} { return nil }, Debug: objpool.DebugDoublePut})
	require.ErrorContains(t, err, "identity")
	require.PanicsWithError(t, "objpool: New is nil", func() {
		objpool.Must(objpool.New(objpool.Config[int]{}))
	})
	p := newPool(t, objpool.Config[*thing]{})
	require.Equal(t, objpool.DefaultMax, p.Stats().Max)
}

func TestZeroPoolPanicsClearly(t *testing.T) {
	const want = "objpool: use of a Pool that was not made by New"
	require.PanicsWithValue(t, want, func() { new(objpool.Pool[int]).Get() })
	require.PanicsWithValue(t, want, func() { new(objpool.Pool[*int]).TryGet() })
	require.PanicsWithValue(t, want, func() { new(objpool.Pool[int]).Put(1) })
	require.PanicsWithValue(t, want, func() { new(objpool.Pool[int]).Prewarm(1) })
}

func TestPutOfNil(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var discards int
		p := newPool(t, objpool.Config[*thing]{OnDiscard: func(*thing, objpool.Reason) { discards++ }})
		require.False(t, p.Put(nil))
		s := p.Stats()
		require.EqualValues(t, 1, s.Puts)
		require.EqualValues(t, 1, s.Discards.Nil)
		require.Zero(t, s.Retained)
		require.Zero(t, discards)

		checkNil := func(ok bool, s objpool.Stats) {
			require.False(t, ok)
			require.EqualValues(t, 1, s.Discards.Nil)
		}
		slices := objpool.Must(objpool.New(objpool.Config[[]int]{New: func() []int { return nil }}))
		checkNil(slices.Put(nil), slices.Stats())
		require.True(t, slices.Put([]int{}), "an empty slice is not nil")
		maps := objpool.Must(objpool.New(objpool.Config[map[int]int]{New: func() map[int]int { return nil }}))
		checkNil(maps.Put(nil), maps.Stats())
		anys := objpool.Must(objpool.New(objpool.Config[any]{New: func() any { return 1 }}))
		checkNil(anys.Put(nil), anys.Stats())
		require.True(t, anys.Put(0))
		ints := objpool.Must(objpool.New(objpool.Config[int]{New: func() int { return 1 }}))
		require.True(t, ints.Put(0), "the zero of a type without nil is an object")
		require.Equal(t, 0, ints.Get())
	})
}

func TestClosedPool(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		reasons := map[objpool.Reason]int{}
		p := newPool(t, objpool.Config[*thing]{OnDiscard: func(_ *thing, r objpool.Reason) { reasons[r]++ }})
		out := p.Get()
		p.Prewarm(3)
		require.NoError(t, p.Close())
		require.NoError(t, p.Close(), "idempotent")
		require.Equal(t, map[objpool.Reason]int{objpool.ReasonCleared: 3}, reasons)

		require.False(t, p.Put(out))
		require.Equal(t, 1, reasons[objpool.ReasonClosed])
		require.NotNil(t, p.Get(), "Get goes on")
		_, ok := p.TryGet()
		require.False(t, ok)
		require.Zero(t, p.Prewarm(5))
		require.Zero(t, p.Trim(5))
		require.Zero(t, p.Clear())
		require.ErrorIs(t, p.Resize(5), objpool.ErrClosed)
		require.NoError(t, p.Do(func(*thing) error { return nil }))
		s := p.Stats()
		require.EqualValues(t, 2, s.Discards.Closed)
		require.Zero(t, s.Retained)
	})
}

func TestDo(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{})
		boom := errors.New("boom")
		require.ErrorIs(t, p.Do(func(v *thing) error { return boom }), boom)
		require.Equal(t, 1, p.Stats().Retained, "an error keeps the object")

		require.PanicsWithValue(t, "ouch", func() {
			_ = p.Do(func(*thing) error { panic("ouch") })
		})
		s := p.Stats()
		require.Zero(t, s.Retained, "a panic gives it up")
		require.EqualValues(t, 1, s.Discards.Panicked)
		require.Zero(t, s.Outstanding)

		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = p.Do(func(*thing) error { runtime.Goexit(); return nil })
		}()
		<-done
		require.EqualValues(t, 2, p.Stats().Discards.Panicked)
		require.Panics(t, func() { _ = p.Do(nil) })
	})
}

func TestPrewarmTrimResizeClear(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var gone []int
		p := newPool(t, objpool.Config[*thing]{Max: 50, OnDiscard: func(v *thing, _ objpool.Reason) { gone = append(gone, v.id) }})
		require.Zero(t, p.Prewarm(0))
		require.Zero(t, p.Prewarm(-3))
		require.Equal(t, 20, p.Prewarm(20))
		require.Equal(t, 30, p.Prewarm(1000))
		require.Zero(t, p.Prewarm(1))
		require.Equal(t, 50, p.Stats().Retained)

		require.Zero(t, p.Trim(0))
		require.Zero(t, p.Trim(-1))
		require.Equal(t, 5, p.Trim(5))
		require.Equal(t, []int{1, 2, 3, 4, 5}, gone, "the oldest first")

		require.ErrorContains(t, p.Resize(0), "Max 0 is not positive")
		require.ErrorContains(t, p.Resize(-4), "Max -4 is not positive")
		require.ErrorContains(t, p.Resize(math.MaxInt32), "exceeds")
		require.NoError(t, p.Resize(40))
		require.Equal(t, 40, p.Stats().Retained)
		require.EqualValues(t, 5, p.Stats().Discards.Resized)
		require.False(t, p.Put(new(thing)))
		require.NoError(t, p.Resize(41))
		require.True(t, p.Put(new(thing)))

		require.Equal(t, 41, p.Clear())
		require.Zero(t, p.Clear())
		require.Len(t, gone, 5+5+1+41)
		s := p.Stats()
		require.Zero(t, s.Retained)
		require.EqualValues(t, 41, s.Discards.Cleared)
	})
}

func TestObjectsSurviveGarbageCollections(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{})
		p.Prewarm(100)
		runtime.GC()
		runtime.GC()
		for range 100 {
			_, ok := p.TryGet()
			require.True(t, ok)
		}
		require.Zero(t, p.Stats().Misses)
	})
}

func TestPoolDoesNotKeepWhatItGaveAway(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := objpool.Eager(newPool(t, objpool.Config[*thing]{}))
		var refs []weak.Pointer[thing]
		for i := range 40 {
			v := &thing{id: i}
			refs = append(refs, weak.Make(v))
			p.Put(v)
		}
		for range 30 {
			p.Get()
		}
		p.Trim(10)
		runtime.GC()
		for _, r := range refs {
			require.Nil(t, r.Value())
		}
		runtime.KeepAlive(p)
	})
}

func TestHotPathsAllocateNothing(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{})
		require.Zero(t, testing.AllocsPerRun(1000, func() { p.Put(p.Get()) }))
		checked := newPool(t, objpool.Config[*thing]{
			Reset:    func(v *thing) (*thing, bool) { return v, true },
			Validate: func(*thing) bool { return true },
			Size:     func(*thing) int { return 8 },
		})
		require.Zero(t, testing.AllocsPerRun(1000, func() { checked.Put(checked.Get()) }))
		slices := objpool.Must(objpool.New(objpool.Config[[]byte]{New: func() []byte { return make([]byte, 10) }}))
		require.Zero(t, testing.AllocsPerRun(1000, func() { slices.Put(slices.Get()) }), "a slice needs no box")
		bs := objpool.Must(objpool.NewBytes(objpool.BytesConfig{}))
		require.Zero(t, testing.AllocsPerRun(1000, func() { bs.Put(bs.Get(100)) }))
		bufs := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{}))
		require.Zero(t, testing.AllocsPerRun(1000, func() { b := bufs.Get(); b.WriteByte(1); bufs.Put(b) }))
		require.Zero(t, testing.AllocsPerRun(100, func() { p.Stats() }))
	})
}

func TestOneGoroutineMissesOncePerP(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{})
		n := 200_000
		if testing.Short() {
			n = 20_000
		}
		for i := range n {
			if i%1000 == 0 {
				runtime.Gosched() // maybe on to another P
			}
			p.Put(p.Get())
		}
		s := p.Stats()
		require.LessOrEqual(t, s.Misses, uint64(runtime.GOMAXPROCS(0)))
		require.EqualValues(t, n, s.Gets)
		require.EqualValues(t, s.Misses, s.Retained)
		require.Positive(t, objpool.Lent(p), "a busy P has a magazine")
	})
}

func TestReasonStrings(t *testing.T) {
	seen := map[string]bool{}
	for r := objpool.ReasonFull; r <= objpool.ReasonResized; r++ {
		require.False(t, seen[r.String()])
		require.NotContains(t, r.String(), "Reason")
		seen[r.String()] = true
	}
	require.Equal(t, "Reason(200)", objpool.Reason(200).String())
}
