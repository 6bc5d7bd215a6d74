package connpool_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/internal/heaptest"
)

// What statistics cost is bounded by what they have seen: a pool whose
// one connection was dialed and lent.
func TestOneThatWasUsedOnceIsSmall(t *testing.T) {
	const n = 200
	var kept [n]interface{ Close() error }
	per := heaptest.Growth(n, func(i int) { kept[i] = usedOnce(t) })
	t.Logf("%d bytes", per)
	for _, k := range kept {
		require.NoError(t, k.Close())
	}
	require.LessOrEqual(t, per, int64(6<<10))
}

func usedOnce(t *testing.T) interface{ Close() error } {
	p := connpool.Must(connpool.New(connpool.Config[int]{
		Dial: func(context.Context) (int, error) { return 1, nil }, Close: func(int) error { return nil }, MaxOpen: 1,
	}))
	c, err := p.Acquire(context.Background())
	require.NoError(t, err)
	c.Release()
	require.Equal(t, uint64(1), p.Stats().DialTime.Count)
	return p
}
