package breaker

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/connpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Breaker{Failures: 3, OpenFor: time.Second}
		broken := errors.New("broken")
		all := func(error) bool { return true }
		fail := func() error { return b.Do(func() error { return broken }, all) }
		for range 2 {
			require.ErrorIs(t, fail(), broken)
		}
		require.NoError(t, b.Do(func() error { return nil }, all), "a success ends the row")
		for range 3 {
			require.ErrorIs(t, fail(), broken)
		}
		require.ErrorIs(t, fail(), ErrOpen)
		require.Equal(t, connpool.BreakerOpen, b.Stats().State)
		time.Sleep(time.Second)
		require.Equal(t, connpool.BreakerHalfOpen, b.Stats().State)
		_ = b.Do(func() error {
			require.ErrorIs(t, fail(), ErrOpen, "one tries at a time")
			return broken
		}, all)
		require.ErrorIs(t, fail(), ErrOpen, "it failed: open again")
		time.Sleep(time.Second)
		require.Panics(t, func() { _ = b.Do(func() error { panic("x") }, all) })
		require.ErrorIs(t, fail(), ErrOpen, "a panic is a failure")
		time.Sleep(time.Second)
		require.ErrorIs(t, b.Do(func() error { return broken }, func(error) bool { return false }), broken)
		require.Equal(t, connpool.BreakerClosed, b.Stats().State, "an error that is not the service's fault")
		require.Equal(t, Stats{Calls: 9, Errors: 7, Refused: 4, Opened: 3}, b.Stats())
	})
}
