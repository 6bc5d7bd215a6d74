package batchchan_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestProducerKeepsOrderAndHidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got collector[int]
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 100, Linger: time.Second}, got.process))
		p := b.Producer()
		for i := range 150 {
			require.NoError(t, p.Send(bg, i))
		}
		s := b.Stats()
		require.EqualValues(t, 150, s.Accepted)
		checkQuiet(t, s)
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, upTo(150), got.items(), "the lane ages, too")
		require.NoError(t, p.Send(bg, 150))
		require.NoError(t, b.Flush(bg))
		require.Equal(t, upTo(151), got.items())
		require.NoError(t, p.Send(bg, 151))
		p.Flush()
		p.Close()
		require.ErrorIs(t, p.Send(bg, 0), batchchan.ErrClosed)
		require.NoError(t, b.Close())
		require.Equal(t, upTo(152), got.items())
	})
}

func TestProducerHasNaturalBatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHeld()
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 100}, h.process))
		p := b.Producer()
		require.NoError(t, p.Send(bg, 0))
		synctest.Wait()
		for i := 1; i < 50; i++ {
			require.NoError(t, p.Send(bg, i))
		}
		close(h.gate)
		synctest.Wait()
		require.Equal(t, upTo(50), h.items())
		require.Equal(t, []int{1, 49}, h.sizes())
		require.NoError(t, b.Close())
	})
}

// Close finds what is in a lane alone, though no worker was ever started.
func TestCloseEmptiesLanes(t *testing.T) {
	var got collector[int]
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 100, Linger: -1}, got.process))
	require.NoError(t, b.Producer().Send(bg, 1))
	require.NoError(t, b.Close())
	require.Equal(t, []int{1}, got.items())
}
