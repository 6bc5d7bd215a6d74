package connpool

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/stats"
)

func TestHotWordsShareNoLine(t *testing.T) {
	require.GreaterOrEqual(t, int(unsafe.Sizeof(entry[int]{})), stats.Line)
	var p Pool[int]
	require.GreaterOrEqual(t, int(unsafe.Offsetof(p.core)-unsafe.Offsetof(p.mu)), stats.Line, "who waits for mu disturbs no holder")
	if unsafe.Sizeof(uintptr(0)) == 8 {
		require.EqualValues(t, 128, unsafe.Sizeof(waiter[int]{}), "a size class that begins on a line")
		require.Zero(t, unsafe.Offsetof(p.mu)%64)
		require.Zero(t, unsafe.Offsetof(p.core)%64)
		require.LessOrEqual(t, int(unsafe.Offsetof(p.core.waiters.handoffs)+8), 64, "what a hand-over writes")
	}
	require.GreaterOrEqual(t, int(unsafe.Sizeof(hint[int]{})), stats.Line-8)
}
