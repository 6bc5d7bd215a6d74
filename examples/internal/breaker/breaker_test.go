package breaker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/connpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errBroken = errors.New("broken")
	errNo     = errors.New("no")
)

func (b *Breaker) end(err error) error { return b.Do(func() error { return err }) }

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(func(err error) bool { return !errors.Is(err, errNo) })
		state := func() connpool.BreakerState { return b.Stats().State }
		for range 4 {
			require.ErrorIs(t, b.end(errBroken), errBroken)
		}
		require.NoError(t, b.end(nil), "a success ends the row")
		for range 4 {
			require.ErrorIs(t, b.end(errBroken), errBroken)
		}
		require.ErrorIs(t, b.end(errNo), errNo, "and so does an error that is not the service's fault")
		for range 5 {
			require.Equal(t, connpool.BreakerClosed, state())
			require.ErrorIs(t, b.end(errBroken), errBroken)
			require.ErrorIs(t, b.end(fmt.Errorf("left: %w", context.Canceled)), orOpen(b, context.Canceled), "it says nothing")
		}
		require.Equal(t, connpool.BreakerOpen, state())
		require.ErrorIs(t, b.end(nil), ErrOpen)
		time.Sleep(time.Second + 1)
		require.Equal(t, connpool.BreakerHalfOpen, state())
		_ = b.Do(func() error {
			require.ErrorIs(t, b.end(nil), ErrOpen, "one tries at a time")
			return errBroken
		})
		require.ErrorIs(t, b.end(nil), ErrOpen, "it failed: open again")
		time.Sleep(time.Second + 1)
		require.Panics(t, func() { _ = b.Do(func() error { panic("x") }) })
		require.ErrorIs(t, b.end(nil), ErrOpen, "a panic is a failure")
		time.Sleep(time.Second + 1)
		require.ErrorIs(t, b.end(context.Canceled), context.Canceled)
		require.Equal(t, connpool.BreakerHalfOpen, state(), "who left does not decide")
		require.NoError(t, b.end(nil))
		require.Equal(t, connpool.BreakerClosed, state())
		require.Equal(t, Stats{Calls: 23, Errors: 15, Refused: 5, Opened: 3}, b.Stats())
	})
}

// orOpen returns ErrOpen if the breaker is open, else err.
func orOpen(b *Breaker, err error) error {
	if b.Stats().State == connpool.BreakerOpen {
		return ErrOpen
	}
	return err
}

// A call that was let through before the breaker opened does not keep it open.
func TestALateFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(func(error) bool { return true })
		go func() {
			_ = b.Do(func() error { time.Sleep(900 * time.Millisecond); return errBroken })
		}()
		synctest.Wait()
		for range 5 {
			_ = b.end(errBroken)
		}
		time.Sleep(time.Second + 1)
		require.NoError(t, b.end(nil))
		require.Equal(t, Stats{Calls: 7, Errors: 6, Opened: 1}, b.Stats())
	})
}
