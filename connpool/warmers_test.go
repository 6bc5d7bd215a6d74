package connpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// warmEnd returns whether the Warm has ended, and with what.
func warmEnd(w *warmer) (ended bool, err error) {
	select {
	case err := <-w.ch:
		return true, err
	default:
		return false, nil
	}
}

func TestWarmersEndWhenTheirNumberIsReached(t *testing.T) {
	var ws warmers
	require.False(t, ws.any())
	require.Zero(t, ws.most())
	two, five, nine := ws.add(2), ws.add(5), ws.add(9)
	require.Equal(t, 9, ws.most())
	ws.reached(1)
	ws.reached(5)
	for _, w := range []*warmer{two, five} {
		ok, err := warmEnd(w)
		require.True(t, ok)
		require.NoError(t, err)
	}
	ok, _ := warmEnd(nine)
	require.False(t, ok)

	ws.shrink(9)
	ok, _ = warmEnd(nine)
	require.False(t, ok, "it can still be reached")
	ws.shrink(8)
	_, err := warmEnd(nine)
	require.EqualError(t, err, "connpool: Warm(9) exceeds the limit of 8")
	require.False(t, ws.any())

	left, failed := ws.add(1), ws.add(3)
	ws.remove(left)
	ws.remove(left)
	ws.fail(errDown)
	ok, _ = warmEnd(left)
	require.False(t, ok, "it left")
	_, err = warmEnd(failed)
	require.ErrorIs(t, err, errDown)
	require.False(t, ws.any())
}
