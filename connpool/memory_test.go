package connpool_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// What statistics cost is bounded by what they have seen: a pool whose
// one connection was dialed and lent.
func TestOneThatWasUsedOnceIsSmall(t *testing.T) {
	const n = 200
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var kept [n]interface{ Close() error }
	before := heap()
	for i := range kept {
		kept[i] = usedOnce(t)
	}
	per := (heap() - before) / n
	t.Logf("%d bytes", per)
	for _, k := range kept {
		require.NoError(t, k.Close())
	}
	require.LessOrEqual(t, per, uint64(6<<10))
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
