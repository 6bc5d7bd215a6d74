package batchchan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// woken empties u and returns whom it wakes, the last first.
func woken(u *wakeUps) (all []*taker) {
	for t := u.takers; t != nil; t = t.next {
		all = append(all, t)
	}
	*u = wakeUps{}
	return all
}

func TestCrewWakesWhoCameLast(t *testing.T) {
	var p crew
	var u wakeUps
	require.False(t, p.ready())
	a, b, c := &taker{}, &taker{}, &taker{}
	p.park(a)
	p.park(b)
	p.park(c)
	require.True(t, p.ready())
	require.True(t, p.unpark(b))
	require.False(t, p.unpark(b), "it is not there any more")
	p.wake(&u)
	require.Equal(t, []*taker{c}, woken(&u), "last come, first woken")
	require.False(t, p.unpark(c), "somebody counts on it")
	require.False(t, p.missed)
	p.wakeIdle(&u)
	require.Equal(t, []*taker{a}, woken(&u))
	require.False(t, p.ready())
	p.wake(&u)
	require.Equal(t, wakeUps{}, u, "takers that come by themselves are never started")
	require.True(t, p.missed)
	for _, u := range p.idle[:cap(p.idle)] {
		require.Nil(t, u, "nobody is held on to")
	}
}

func TestCrewStartsWorkersUpToItsMost(t *testing.T) {
	p := crew{most: 2}
	var u wakeUps
	p.wakeIdle(&u)
	require.Equal(t, wakeUps{}, u, "nobody is idle")
	for n := 1; n <= 3; n++ {
		require.Equal(t, n <= 2, p.ready())
		p.wake(&u)
		require.Equal(t, min(n, 2), u.spawn)
	}
	p.leave()
	require.True(t, p.ready())
	a := &taker{}
	p.park(a)
	u = wakeUps{}
	p.wake(&u)
	require.Zero(t, u.spawn, "one that is idle comes before one that is to be started")
	require.Equal(t, []*taker{a}, woken(&u))
	p.wake(&u)
	require.Equal(t, 1, u.spawn)
	require.False(t, p.ready())
}
