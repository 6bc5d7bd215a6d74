package connpool

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStock(t *testing.T) {
	for _, tt := range []struct{ minIdle, minOpen, conns, lent, lacks int }{
		{0, 0, 0, 0, 0},
		{2, 0, 0, 0, 2},
		{2, 0, 5, 4, 1},
		{2, 0, 5, 3, 0},
		{2, 0, 5, 5, 2},
		{0, 3, 2, 2, 1},
		{0, 3, 3, 3, 0},
		{2, 6, 5, 4, 1},
		{2, 6, 5, 5, 2},
		{2, 9, 5, 5, 4},
	} {
		s := stock{minIdle: tt.minIdle, minOpen: tt.minOpen}
		require.Zero(t, s.lacks(tt.conns, tt.lent), "nothing has changed")
		s.look()
		require.Equal(t, tt.lacks, s.lacks(tt.conns, tt.lent), "%+v", tt)
		require.Zero(t, s.lacks(tt.conns, tt.lent), "once")
		s.off = true
		s.look()
		require.Zero(t, s.lacks(tt.conns, tt.lent), "an unused key keeps none")
		s.off = false
		require.Zero(t, s.lacks(tt.conns, tt.lent), "that was the look")
	}
	var s stock
	s.look()
	require.False(t, s.due, "spares the scan")
}
