package locks

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestSizes(t *testing.T) {
	if debugEnabled {
		t.Skip("the debug switch marks locks")
	}
	require.EqualValues(t, 32, unsafe.Sizeof(RWMutex{}))
	require.EqualValues(t, 16, unsafe.Sizeof(SpinMutex{}))
	require.EqualValues(t, 8, unsafe.Alignof(RWMutex{}))
	require.Zero(t, unsafe.Sizeof(stripe{})%128)
	if unsafe.Sizeof(uintptr(0)) == 8 {
		var sh keyedShard[string]
		require.EqualValues(t, 256, unsafe.Sizeof(sh))
		require.LessOrEqual(t, int(unsafe.Offsetof(sh.first)+unsafe.Offsetof(sh.first.next)), 64,
			"what locking a key with no other user touches is one cache line")
	}
}
