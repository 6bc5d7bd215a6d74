package connpool_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

func TestPanicsAndGoexitsOfUserFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		boom := errors.New("boom")
		mode := 0
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.CheckAfterIdle = 1, -1
			c.Check = func(context.Context, *fake) error {
				switch mode {
				case 3:
					panic(boom)
				case 4:
					runtime.Goexit()
				}
				return nil
			}
			c.Close = func(f *fake) error {
				_ = s.close(f)
				switch mode {
				case 5:
					panic(boom)
				case 6:
					runtime.Goexit()
				}
				return nil
			}
		})
		s.onDial = func(context.Context, int) error {
			if mode == 1 {
				s.set(func() { s.slots--; s.dialing-- })
				panic(boom)
			}
			if mode == 2 {
				s.set(func() { s.slots--; s.dialing-- })
				runtime.Goexit()
			}
			return nil
		}
		for mode = 1; mode <= 2; mode++ {
			_, err := p.Acquire(t.Context())
			require.Error(t, err)
			var pe *connpool.PanicError
			if mode == 1 {
				require.ErrorAs(t, err, &pe)
				require.ErrorIs(t, err, boom)
				require.Contains(t, string(pe.Stack), "panic_test.go")
			} else {
				require.ErrorIs(t, err, connpool.ErrGoexit)
			}
		}
		mode = 0
		acquire(t, p).Release()
		for mode = 3; mode <= 4; mode++ {
			acquire(t, p).Release() // the check fails, a dial replaces it
		}
		for mode = 5; mode <= 6; mode++ {
			acquire(t, p).Destroy(nil)
			synctest.Wait()
		}
		mode = 0
		acquire(t, p).Release()
		require.EqualValues(t, 6, p.Stats().Panics)
		s.end(p)
	})
}

// Bad did not say whether the connection is broken, so it is closed; the panic is the
// caller's error, beside that of its function.
func TestAPanicOfBadClosesTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.Bad = func(error) bool { panic("bad") } })
		err := p.Do(t.Context(), func(context.Context, *fake) error { return errDown })
		require.ErrorIs(t, err, errDown)
		var pe *connpool.PanicError
		require.ErrorAs(t, err, &pe)
		require.Equal(t, "Bad", pe.Func)
		synctest.Wait()
		require.EqualValues(t, 1, p.Stats().ClosedBy.Destroy)
		s.end(p)
	})
}
