package objpool_test

import (
	"bytes"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/objpool"
)

func TestBytesGetIsNeverTooSmall(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{MinSize: 100, MaxSize: 1 << 14}))
			inUse := map[*byte]bool{}
			for range rapid.IntRange(1, 200).Draw(t, "ops") {
				// Any capacity may come back, not only those that Get makes.
				if rapid.Bool().Draw(t, "put") {
					b.Put(make([]byte, rapid.IntRange(0, 1<<15).Draw(t, "cap")))
					continue
				}
				n := rapid.IntRange(0, 1<<15).Draw(t, "n")
				s := b.Get(n)
				if len(s) != n || cap(s) < n {
					t.Fatalf("Get(%d) has len %d, cap %d", n, len(s), cap(s))
				}
				if id := &s[:1][0]; inUse[id] {
					t.Fatal("one array for two slices")
				} else {
					inUse[id] = true
				}
			}
			s := b.Stats()
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func TestBytesFilesByWhatTheCapacityCovers(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{MinSize: 64, MaxSize: 1024}))
		odd := make([]byte, 0, 1000) // serves 512, not 1024
		require.True(t, b.Put(odd))
		require.Equal(t, 1024, cap(b.Get(513)))
		require.Equal(t, 1000, cap(b.Get(512)))
		require.False(t, b.Put(nil))
		require.False(t, b.Put(make([]byte, 63)))
		require.False(t, b.Put(make([]byte, 1025)))
		s := b.Stats()
		require.EqualValues(t, 1, s.Discards.Nil)
		require.EqualValues(t, 1, s.Discards.Rejected)
		require.EqualValues(t, 1, s.Discards.TooLarge)
		require.Equal(t, 5000, len(b.Get(5000)), "larger ones are made to measure")
		s = b.Stats()
		require.EqualValues(t, 3, s.Gets)
		require.EqualValues(t, 2, s.Misses)
		require.Panics(t, func() { b.Get(-1) })
	})
}

func TestBytesStayBelowMaxBytes(t *testing.T) {
	for _, cfg := range []objpool.BytesConfig{
		{},
		{MaxBytes: 4 << 20},
		{MaxSize: 1 << 12, MaxBytes: 1 << 14},
		{MinSize: 4096, MaxSize: 4096},
		{MinSize: 1, MaxSize: 1 << 8},
		{MaxSize: 64 << 20},
	} {
		b := objpool.Must(objpool.NewBytes(cfg))
		sum := int64(0)
		for _, c := range b.Classes() {
			require.Positive(t, c.Stats.Max)
			sum += int64(c.Stats.MaxBytes)
		}
		limit := cfg.MaxBytes
		if limit == 0 {
			limit = max(64<<20, 4*int64(cfg.MaxSize))
		}
		require.LessOrEqual(t, sum, limit, "%+v", cfg)
		if cfg.MaxSize == 0 {
			require.Greater(t, sum, limit/3, "the bound is not wasted: %v", objpool.ClassMax(b))
		}
	}
}

func TestBytesConfigErrors(t *testing.T) {
	for want, cfg := range map[string]objpool.BytesConfig{
		"MinSize -1 is negative":                   {MinSize: -1},
		"MaxSize -1 is negative":                   {MaxSize: -1},
		"MaxBytes -1 is negative":                  {MaxBytes: -1},
		"DefaultSize -1 is negative":               {DefaultSize: -1},
		"MinSize 128 exceeds MaxSize 64":           {MinSize: 100, MaxSize: 64},
		"MaxBytes 4095 is below 4 * MaxSize, 4096": {MaxSize: 1024, MaxBytes: 4095},
		"MaxSize 2147483647 exceeds 1073741824":    {MaxSize: math.MaxInt32},
		"MinSize 2147483647 exceeds 1073741824":    {MinSize: math.MaxInt32},
		"objpool: IdleTimeout -1ns is negative":    {IdleTimeout: -1},
	} {
		_, err := objpool.NewBytes(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestBytesDefaultSizeAdapts(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{DefaultSize: 256, MaxSize: 16 << 10}))
		for range 1000 {
			b.Put(make([]byte, 9000))
		}
		require.Equal(t, 256, b.DefaultSize(), "nobody asked for it yet")
		require.Equal(t, 256, cap(b.Get(0)))
		require.Empty(t, b.Get(0))
		use := func(n, times int) {
			for range times {
				s := b.Get(0)
				b.Put(append(s, make([]byte, n)...))
			}
		}
		use(5000, 1000)
		require.Equal(t, 8192, b.DefaultSize())
		require.GreaterOrEqual(t, cap(b.Get(0)), 8192)
		use(100, 20000)
		require.Equal(t, 128, b.DefaultSize())
		use(20<<10, 1000)
		require.Equal(t, 16<<10, b.DefaultSize(), "never above MaxSize")

		fixed := objpool.Must(objpool.NewBytes(objpool.BytesConfig{FixedDefault: true}))
		fixed.Get(0)
		for range 1000 {
			fixed.Put(make([]byte, 9000))
		}
		require.Equal(t, 1024, fixed.DefaultSize())
	})
}

func TestBytesClearCloseAndPrewarm(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{Name: "b"}))
		require.Equal(t, 3, b.Prewarm(1000, 3))
		require.Equal(t, 2, b.Prewarm(10, 2))
		require.Zero(t, b.Prewarm(1<<30, 1))
		require.Zero(t, b.Prewarm(0, 1))
		s := b.Stats()
		require.Equal(t, 5, s.Retained)
		require.EqualValues(t, 3*1024+2*64, s.RetainedBytes)
		require.Equal(t, "b", s.Name)
		require.Equal(t, 5, b.Clear())
		require.NoError(t, b.Close())
		require.Len(t, b.Get(10), 10)
		require.False(t, b.Put(make([]byte, 64)))
	})
}

// A slice that grew comes back to another class than it came from; all classes together
// know nothing is out.
func TestBytesOutstandingOfSlicesThatGrow(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{MaxSize: 1 << 14}))
		grow := []int{10, 100, 5000, 1 << 14, 1 << 15, 0}
		for i := range 600 {
			s := b.Get(grow[i%len(grow)])
			b.Put(append(s, make([]byte, grow[i%5])...))
		}
		s := b.Stats()
		require.NoError(t, s.Check())
		require.Zero(t, s.Outstanding)
		out := b.Get(1 << 15)
		require.Equal(t, 1, b.Stats().Outstanding)
		b.ResetStats()
		require.Equal(t, 1, b.Stats().Outstanding)
		require.Zero(t, b.Stats().Gets)
		b.Put(out)
		require.Zero(t, b.Stats().Outstanding)
		require.EqualValues(t, 1, b.Stats().Puts)
		for _, c := range b.Classes() {
			require.GreaterOrEqual(t, c.Stats.Outstanding, 0)
		}
	})
}

func TestBytesResizeAndTrim(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{MinSize: 64, MaxSize: 1024, MaxBytes: 1 << 20}))
		sum := func() (n int64) {
			for _, c := range b.Classes() {
				n += int64(c.Stats.MaxBytes)
			}
			return n
		}
		require.EqualValues(t, sum(), b.Stats().MaxBytes)
		require.Positive(t, sum())
		for _, n := range []int{64, 512, 1024} {
			require.Equal(t, 50, b.Prewarm(n, 50))
		}
		require.Equal(t, 60, b.Trim(60))
		cs := b.Classes()
		require.Equal(t, []int{50, 40, 0}, []int{cs[0].Stats.Retained, cs[3].Stats.Retained, cs[4].Stats.Retained}, "the largest first")
		require.Zero(t, b.Trim(0))
		require.Zero(t, b.Trim(-1))

		require.ErrorContains(t, b.Resize(4095), "MaxBytes 4095 is below 4 * MaxSize, 4096")
		require.ErrorContains(t, b.Resize(-1), "MaxBytes -1 is below")
		require.Equal(t, 90, b.Stats().Retained, "nothing changed")
		require.NoError(t, b.Resize(8192))
		s := b.Stats()
		require.LessOrEqual(t, s.MaxBytes, 8192)
		require.LessOrEqual(t, s.RetainedBytes, s.MaxBytes)
		require.NoError(t, s.Check())
		require.Positive(t, s.Discards.Resized)
		require.NoError(t, b.Close())
		require.ErrorIs(t, b.Resize(1<<20), objpool.ErrClosed)
		require.Zero(t, b.Trim(5))
	})
}

func TestBuffersDoNotReplaceWhatAClosedPoolRefuses(t *testing.T) {
	b := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{MaxSize: 100}))
	large := func() *bytes.Buffer { return bytes.NewBuffer(make([]byte, 1000)) }
	require.True(t, b.Put(large()))
	require.EqualValues(t, 1, b.Replaced())
	require.NoError(t, b.Close())
	require.False(t, b.Put(large()))
	require.EqualValues(t, 1, b.Replaced(), "no buffer is made to be thrown away")
	s := b.Stats()
	require.EqualValues(t, 1, s.Discards.Closed)
	require.NoError(t, s.Check())
}

func TestBytesConcurrently(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		b := objpool.Must(objpool.NewBytes(objpool.BytesConfig{MaxSize: 4096}))
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 3000 {
					s := b.Get((g*131 + i*17) % 5000)
					for j := range s {
						s[j] = byte(g)
					}
					for j := range s {
						if s[j] != byte(g) {
							t.Error("the slice is shared")
							return
						}
					}
					b.Put(s)
				}
			})
		}
		wg.Wait()
		s := b.Stats()
		require.NoError(t, s.Check())
		require.EqualValues(t, 8*3000, s.Gets)
		require.EqualValues(t, 8*3000, s.Puts)
	})
}

func TestBuffersReplaceOversizeOnes(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		b := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{MaxSize: 1000, InitialSize: 100}))
		buf := b.Get()
		require.Equal(t, 100, buf.Cap())
		buf.Write(make([]byte, 5000))
		require.True(t, b.Put(buf))
		require.EqualValues(t, 1, b.Replaced())
		next := b.Get()
		require.NotSame(t, buf, next, "the large one is gone for good")
		require.Equal(t, 100, next.Cap())
		require.Equal(t, 5000, buf.Len(), "and was not touched")

		next.WriteString("hello")
		require.True(t, b.Put(next))
		again := b.Get()
		require.Same(t, next, again)
		require.Zero(t, again.Len())
		require.False(t, b.Put(nil))
		require.EqualValues(t, 1, b.Stats().Discards.Nil)
		require.EqualValues(t, 2, b.Stats().Hits)
	})
}

func TestBuffersForwardToThePool(t *testing.T) {
	b := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{Max: 4}))
	require.Equal(t, 4, b.Prewarm(9))
	require.NoError(t, b.Do(func(buf *bytes.Buffer) error { buf.WriteByte(1); return nil }))
	require.PanicsWithValue(t, "x", func() { _ = b.Do(func(*bytes.Buffer) error { panic("x") }) })
	require.Panics(t, func() { _ = b.Do(nil) })
	buf, ok := b.TryGet()
	require.True(t, ok)
	require.Zero(t, buf.Len())
	require.Equal(t, 1, b.Trim(1))
	require.NoError(t, b.Resize(10))
	require.Equal(t, 1, b.Clear())
	b.ResetStats()
	require.Zero(t, b.Stats().Gets)
	require.NoError(t, b.Close())
	for want, cfg := range map[string]objpool.BufferConfig{
		"MaxSize -1 is negative":             {MaxSize: -1},
		"InitialSize -1 is negative":         {InitialSize: -1},
		"InitialSize 200 exceeds MaxSize 10": {InitialSize: 200, MaxSize: 10},
		"Max -1 is negative":                 {Max: -1},
	} {
		_, err := objpool.NewBuffers(cfg)
		require.ErrorContains(t, err, want)
	}
}
