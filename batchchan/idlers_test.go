package batchchan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdlers(t *testing.T) {
	var p idlers
	require.False(t, p.any())
	a, b, c := &taker{}, &taker{}, &taker{}
	p.add(a)
	p.add(b)
	p.add(c)
	require.True(t, p.remove(b))
	require.False(t, p.remove(b), "it is not there any more")
	require.Same(t, c, p.pop(), "last come, first woken")
	require.False(t, p.remove(c))
	require.Same(t, a, p.pop())
	require.False(t, p.any())
	for _, u := range p.all[:cap(p.all)] {
		require.Nil(t, u, "nobody is held on to")
	}
}
