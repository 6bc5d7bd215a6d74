package objpool_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/objpool"
)

//go:noinline
func firstPlace[T any](p *objpool.Pool[T], v T) { p.Put(v) }

//go:noinline
func secondPlace[T any](p *objpool.Pool[T], v T) { p.Put(v) }

// misuse returns what f panics with.
func misuse(t *testing.T, f func()) (m *objpool.Misuse) {
	t.Helper()
	defer func() {
		err, _ := recover().(error)
		require.Error(t, err)
		require.True(t, errors.As(err, &m))
	}()
	f()
	return nil
}

func TestDebugReportsADoublePutWithBothStacks(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, mode := range []objpool.Debug{objpool.DebugDoublePut, objpool.DebugUseAfterPut} {
			p := newPool(t, objpool.Config[*thing]{Name: "things", Debug: mode})
			v := p.Get()
			firstPlace(p, v)
			m := misuse(t, func() { secondPlace(p, v) })
			require.Equal(t, objpool.DebugDoublePut, m.Kind)
			require.Contains(t, m.Put, "firstPlace")
			require.Contains(t, m.Found, "secondPlace")
			require.Contains(t, m.Error(), `pool "things"`)
			require.Contains(t, m.Error(), "debug_test.go")

			s := p.Stats()
			require.EqualValues(t, 1, s.Discards.Misused)
			require.Equal(t, 1, s.Retained)
			require.Same(t, v, p.Get())
			require.True(t, p.Put(v), "after a Get it is no double Put")
		}
	})
}

func TestDebugReportsAWriteAfterPut(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var found []*objpool.Misuse
		var gone int
		p := newPool(t, objpool.Config[*thing]{
			Debug:     objpool.DebugUseAfterPut,
			OnMisuse:  func(m *objpool.Misuse) { found = append(found, m) },
			OnDiscard: func(*thing, objpool.Reason) { gone++ },
		})
		v := p.Get()
		firstPlace(p, v)
		require.EqualValues(t, 0xDB, v.data[5], "stale reads stand out")
		v.data[5] = 1
		w := p.Get()
		require.NotSame(t, v, w)
		require.Len(t, found, 1)
		require.Equal(t, objpool.DebugUseAfterPut, found[0].Kind)
		require.Contains(t, found[0].Put, "firstPlace")
		require.Contains(t, found[0].Found, "TestDebugReportsAWriteAfterPut")
		require.Equal(t, 1, gone)
		require.EqualValues(t, 1, p.Stats().Discards.Invalid)

		w.id, w.data[3] = 42, 7
		p.Put(w)
		require.Same(t, w, p.Get())
		require.Equal(t, 42, w.id, "content is restored")
		require.EqualValues(t, 7, w.data[3])
	})
}

func TestDebugWatchesPointerfulObjectsAndSlices(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		type node struct {
			name string
			next *node
		}
		nodes := objpool.Must(objpool.New(objpool.Config[*node]{
			New: func() *node { return new(node) }, Debug: objpool.DebugUseAfterPut,
		}))
		n := &node{name: "a", next: &node{name: "b"}}
		nodes.Put(n)
		require.Equal(t, "a", n.name, "memory with pointers is not overwritten")
		require.Same(t, n, nodes.Get())
		nodes.Put(n)
		n.next = nil
		misuse(t, func() { nodes.Get() })

		slices := objpool.Must(objpool.New(objpool.Config[[]byte]{
			New: func() []byte { return nil }, Debug: objpool.DebugUseAfterPut,
		}))
		b := make([]byte, 3, 10)
		slices.Put(b)
		b[:10][9] = 1
		misuse(t, func() { slices.Get() })
		misuse(t, func() { slices.Put(b); slices.Put(b[:1]) })
		require.True(t, slices.Put([]byte{}))
		require.True(t, slices.Put([]byte{}), "slices without memory have no identity")

		maps := objpool.Must(objpool.New(objpool.Config[map[int]int]{
			New: func() map[int]int { return nil }, Debug: objpool.DebugUseAfterPut,
		}))
		m := map[int]int{}
		maps.Put(m)
		misuse(t, func() { maps.Put(m) })
	})
}

// Whoever puts memory of an object in the pool puts it a second time, whichever part.
func TestDebugSeesSharedMemory(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, mode := range []objpool.Debug{objpool.DebugDoublePut, objpool.DebugUseAfterPut} {
			p := objpool.Must(objpool.New(objpool.Config[[]int]{New: func() []int { return nil }, Debug: mode}))
			all := make([]int, 100)
			firstPlace(p, all[20:40:60])
			for name, part := range map[string][]int{
				"the start": all[20:21:21], "the middle": all[30:], "the end": all[59:59:60],
				"behind len": all[45:50], "around": all, "across the start": all[10:30],
			} {
				m := misuse(t, func() { secondPlace(p, part) })
				require.Equal(t, objpool.DebugDoublePut, m.Kind, name)
				require.Contains(t, m.Put, "firstPlace", name)
			}
			require.True(t, p.Put(all[:20:20]), "a neighbour")
			require.True(t, p.Put(all[60:]), "a neighbour")
			p.Clear()
			require.True(t, p.Put(all), "nothing is left")
		}
	})
}

func TestDebugSeesWhatHappensToABuffersContent(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var found []*objpool.Misuse
		p := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{
			InitialSize: 100, MaxSize: 1000, Debug: objpool.DebugUseAfterPut,
			OnMisuse: func(m *objpool.Misuse) { found = append(found, m) },
		}))
		b := p.Get()
		b.WriteString("hello")
		kept := b.Bytes()
		require.True(t, p.Put(b))
		require.EqualValues(t, 0xDB, kept[0], "stale reads stand out")
		kept[4] = 'x'
		require.NotSame(t, b, p.Get(), "written to through what Bytes returned")
		require.Len(t, found, 1)
		require.Equal(t, objpool.DebugUseAfterPut, found[0].Kind)

		b = p.Get()
		b.WriteString("hello")
		require.True(t, p.Put(b))
		require.Same(t, b, p.Get())
		b.WriteString("hello")
		require.Equal(t, "hello", b.String(), "and is as good as before")

		require.True(t, p.Put(b))
		b.Write(make([]byte, 2000))
		require.False(t, p.Put(b), "it is in the pool, and grew there")
		require.Len(t, found, 2)
		require.Equal(t, objpool.DebugDoublePut, found[1].Kind)
		require.Zero(t, p.Replaced())

		a, c := p.Get(), p.Get()
		require.True(t, p.Put(a))
		*c = *bytes.NewBuffer(a.AvailableBuffer())
		require.False(t, p.Put(c), "two buffers over one array")
	})
}

func TestDebugForgetsWhatIsGivenUp(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{Max: 2, Debug: objpool.DebugUseAfterPut})
		a, b, c := &thing{id: 1}, &thing{id: 2}, &thing{id: 3}
		p.Put(a)
		p.Put(b)
		require.False(t, p.Put(c))
		require.Equal(t, 3, c.id, "restored when refused")
		require.False(t, p.Put(c), "refused twice is no double Put")
		p.Clear()
		require.Zero(t, objpool.DebugResidents(p))
		require.Equal(t, 1, a.id)
		require.True(t, p.Put(a))
		p.Prewarm(1)
		p.Get()
		p.Get()
		require.Zero(t, objpool.DebugResidents(p))
	})
}

func TestDebugInBytesAndBuffers(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		bs := objpool.Must(objpool.NewBytes(objpool.BytesConfig{Debug: objpool.DebugUseAfterPut}))
		s := bs.Get(100)
		bs.Put(s)
		s[1] = 1
		misuse(t, func() { bs.Get(100) })
		bufs := objpool.Must(objpool.NewBuffers(objpool.BufferConfig{Debug: objpool.DebugUseAfterPut}))
		b := bufs.Get()
		b.WriteString("x")
		bufs.Put(b)
		misuse(t, func() { bufs.Put(b) })
		b.WriteString("late")
		misuse(t, func() { bufs.Get() })
		require.NotPanics(t, func() { bufs.Put(new(bytes.Buffer)) })
	})
}
