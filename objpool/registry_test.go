package objpool_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/objpool"
)

func TestRegistry(t *testing.T) {
	var r objpool.Registry
	things := newPool(t, objpool.Config[*thing]{})
	ints := objpool.Must(objpool.New(objpool.Config[int]{New: func() int { return 1 }}))
	bs := objpool.Must(objpool.NewBytes(objpool.BytesConfig{}))
	bufs := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{}))
	require.NoError(t, r.Register("things", things))
	require.NoError(t, r.Register("ints", ints))
	require.NoError(t, r.Register("bytes", bs))
	require.NoError(t, r.Register("buffers", bufs))
	require.ErrorIs(t, r.Register("things", ints), objpool.ErrDuplicate)
	require.ErrorContains(t, r.Register("", ints), "empty name")
	require.ErrorContains(t, r.Register("x", nil), "nil pool")
	for _, none := range []objpool.Source{(*objpool.Pool[int])(nil), (*objpool.Bytes)(nil), (*objpool.Buffers)(nil)} {
		require.ErrorContains(t, r.Register("x", none), "nil pool", "%T", none)
	}
	require.NotPanics(t, func() { r.Stats(); r.ClearAll() })
	require.Equal(t, []string{"buffers", "bytes", "ints", "things"}, r.Names())

	got, ok := r.Lookup("bytes")
	require.True(t, ok)
	require.Same(t, bs, got)
	_, ok = r.Lookup("nothing")
	require.False(t, ok)
	p, err := objpool.LookupPool[*thing](&r, "things")
	require.NoError(t, err)
	require.Same(t, things, p)
	_, err = objpool.LookupPool[*thing](&r, "ints")
	require.ErrorContains(t, err, `"ints" is a *objpool.Pool[int], not a *objpool.Pool[`)
	_, err = objpool.LookupPool[*thing](&r, "nothing")
	require.ErrorIs(t, err, objpool.ErrNotFound)

	things.Prewarm(3)
	ints.Put(5)
	bs.Put(make([]byte, 100))
	require.Equal(t, 3, r.Stats()["things"].Retained)
	require.Equal(t, 5, r.ClearAll())
	require.Zero(t, r.Stats()["bytes"].Retained)

	require.True(t, r.Unregister("ints"))
	require.False(t, r.Unregister("ints"))
	require.NoError(t, r.Register("ints", things), "the name is free again")
}

func TestRegistryConcurrently(t *testing.T) {
	var r objpool.Registry
	var wg sync.WaitGroup
	won := make(chan int, 8*50)
	for g := range 8 {
		wg.Go(func() {
			p := newPool(t, objpool.Config[*thing]{})
			for i := range 50 {
				if r.Register(fmt.Sprint(i), p) == nil {
					won <- i
				}
				r.Stats()
				r.ClearAll()
				r.Names()
				r.Lookup(fmt.Sprint(g))
			}
		})
	}
	wg.Wait()
	require.Len(t, won, 50, "each name once")
	for i := range 50 {
		require.True(t, r.Unregister(fmt.Sprint(i)))
	}
	require.Empty(t, r.Names())
}
