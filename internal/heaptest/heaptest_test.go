package heaptest_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/heaptest"
)

func TestGrowthIsWhatIsKept(t *testing.T) {
	kept := make([]*[8 << 10]byte, 1000)
	require.InDelta(t, 8<<10, heaptest.Growth(len(kept), func(i int) { kept[i] = new([8 << 10]byte) }), 256)
	runtime.KeepAlive(kept)
}

func TestGrowthOfGarbageIsNothing(t *testing.T) {
	var last *[8 << 10]byte
	require.InDelta(t, 0, heaptest.Growth(1000, func(int) { last = new([8 << 10]byte) }), 256)
	runtime.KeepAlive(last)
}
