package connpool

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Each limit at its edge.
func TestLimits(t *testing.T) {
	l := limits{maxOpen: 10, maxIdle: 4, epoch: 3}
	for _, tt := range []struct {
		u            usage
		room, toCome int
		surplus      bool
		refuses      Reason
		trims        Reason // of 4 idle connections
	}{
		{usage{}, 10, 10, false, 0, 0},
		{usage{conns: 4, dialing: 3, closing: 2}, 1, 3, false, 0, 0},
		{usage{conns: 4, dialing: 3, closing: 3}, 0, 3, false, 0, 0},
		{usage{conns: 4, dialing: 3, closing: 4}, -1, 3, true, 0, 0},
		{usage{conns: 5}, 5, 5, true, 0, 0},
		{usage{conns: 8, dialing: 2}, 0, 0, true, 0, 0},
		{usage{conns: 8, dialing: 3}, -1, 0, true, ByResize, ByResize},
		{usage{closing: 12}, -2, 10, true, 0, 0}, // what closes will be gone: no cause to close more
	} {
		require.Equal(t, tt.room, l.room(tt.u), "%+v", tt.u)
		require.Equal(t, tt.toCome, l.toCome(tt.u), "%+v", tt.u)
		require.Equal(t, tt.surplus, l.surplus(tt.u), "%+v", tt.u)
		require.Equal(t, tt.refuses, l.refuses(3, tt.u), "%+v", tt.u)
		require.Equal(t, tt.trims, l.trims(tt.u, 4), "%+v", tt.u)
		require.Zero(t, l.trims(tt.u, 0), "none is idle")
	}
	require.Equal(t, ByMaxIdle, l.trims(usage{conns: 5}, 5))
	require.Equal(t, ByReset, l.refuses(2, usage{conns: 11}))
	require.Equal(t, 4, l.mostIdle())

	l = limits{maxOpen: 10, maxIdle: math.MaxInt, maxDialing: 2}
	require.Equal(t, 2, l.room(usage{conns: 1}))
	require.Equal(t, 1, l.room(usage{conns: 1, dialing: 1}))
	require.Zero(t, l.room(usage{conns: 1, dialing: 2}))
	require.Equal(t, 1, l.room(usage{conns: 9}))
	require.Equal(t, 10, l.mostIdle())
	require.False(t, l.surplus(usage{conns: 10}))
	require.Zero(t, l.trims(usage{conns: 10}, 10))
}

// Whoever dials while there is room, and closes what is refused or trimmed, keeps all
// limits, whatever is resized, returned or closed in between.
func TestWhoObeysTheLimitsKeepsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.IntRange(1, 6)
		l := limits{maxOpen: small.Draw(t, "maxOpen"), maxIdle: small.Draw(t, "maxIdle"), maxDialing: small.Draw(t, "maxDialing")}
		var u usage
		idle, bound := 0, l.maxOpen
		for range 60 {
			switch rapid.IntRange(0, 4).Draw(t, "op") {
			case 0:
				if l.room(u) > 0 {
					u.dialing++
				}
			case 1:
				if u.dialing > 0 {
					u.dialing--
					u.conns++
					if l.refuses(0, u) != 0 {
						u.conns--
						u.closing++
					}
				}
			case 2: // a return
				if u.conns > idle {
					idle++
				}
			case 3:
				u.closing = max(u.closing-1, 0)
			case 4:
				l.maxOpen = small.Draw(t, "resize")
			}
			for l.trims(u, idle) != 0 {
				idle--
				u.conns--
				u.closing++
			}
			bound = max(min(bound, u.open()), l.maxOpen) // a Resize to less takes its time
			switch {
			case u.open() > bound:
				t.Fatalf("%+v open, of %+v", u, l)
			case idle > l.maxIdle:
				t.Fatalf("%d idle, of %+v", idle, l)
			case idle > 0 && u.conns+u.dialing > l.maxOpen:
				t.Fatalf("%d idle with %+v, of %+v", idle, u, l)
			case u.dialing > max(l.maxDialing, 1):
				t.Fatalf("%+v, of %+v", u, l)
			}
		}
	})
}
