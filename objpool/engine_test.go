package objpool_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/objpool"
)

// A build that asks for the pinned engine has it, or fails and says so.
func TestTagPoundlockPinned(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	build := func(env string, args ...string) (string, error) {
		cmd := exec.Command("go", append([]string{"build"}, args...)...)
		cmd.Env = append(os.Environ(), env)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := build("", "."); err != nil {
		t.Skipf("nothing can be built here: %s", out)
	}
	if objpool.PinnedBuild {
		out, err := build("", "-tags", "poundlock_pinned", ".")
		require.NoError(t, err, out)
	}
	out, err := build("", "-tags", "poundlock_pinned,poundlock_portable", ".")
	require.Error(t, err)
	require.Contains(t, out, "undefined: poundlock_pinned_needs_gc")
	out, err = build("GOARCH=386", "-tags", "poundlock_pinned", ".")
	require.Error(t, err)
	require.Contains(t, out, "undefined: poundlock_pinned_needs_a_64_bit_machine")
}

// Goroutines whose stacks hash to one stripe must part after a few encounters, however
// far apart the stacks are.
func TestAnotherSaltPartsGoroutinesThatMet(t *testing.T) {
	pairs, together := 0, 0
	for place := uint32(0x6000_0000); place < 0x6000_0000+64; place++ {
		for bit := range 32 {
			other := place ^ 1<<bit
			pairs++
			met := 0
			for objpool.Stripe(place, met) == objpool.Stripe(other, met) {
				met++
				require.Less(t, met, 50, "%x and %x meet for ever", place, other)
			}
			together += met
		}
	}
	require.Less(t, together, pairs/4, "as chance has it, a pair meets 1/7 times before it parts")
}
