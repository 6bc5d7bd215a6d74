package workerpool_test

import (
	"context"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

type ballast struct{ bytes [1 << 16]byte }

func (b *ballast) touch() { b.bytes[7]++ }

// What a task holds is collectable once it ran, was dropped, or was refused,
// although pool and worker live on.
func TestClosuresAreCollectable(t *testing.T) {
	eachQueue(t, func(t *testing.T, size int) {
		p := newPool(t, workerpool.Config{MaxWorkers: 2, MinWorkers: 2, QueueSize: size, IdleTimeout: -1, OnPanic: func(*workerpool.PanicError) {}})
		v := p.Limit(1)
		var weaks []weak.Pointer[ballast]
		held := func() *ballast {
			b := new(ballast)
			weaks = append(weaks, weak.Make(b))
			return b
		}
		submit := func() {
			b := held()
			require.NoError(t, p.Submit(b.touch))
			b2 := held()
			require.NoError(t, p.Submit(func() { b2.touch(); panic("x") }))
			b3 := held()
			require.NoError(t, p.Submit(func() { b3.touch(); runtime.Goexit() }))
			b4 := held()
			require.NoError(t, p.Do(bg, workerpool.Task{Run: func(context.Context) error { b4.touch(); return nil }}))
			b5, b6 := held(), held()
			require.NoError(t, v.Submit(b5.touch))
			require.NoError(t, v.Submit(b6.touch))
			b7 := held()
			ctx, cancel := context.WithCancel(bg)
			cancel()
			_ = p.SubmitContext(ctx, b7.touch)
			_ = p.TrySubmit(b7.touch)
		}
		for range 5 {
			submit()
		}
		require.NoError(t, p.Wait(bg))
		until(t, "all collected", func() bool {
			runtime.GC()
			for _, w := range weaks {
				if w.Value() != nil {
					return false
				}
			}
			return true
		})
		closeAndCheck(t, p)
	})
}
