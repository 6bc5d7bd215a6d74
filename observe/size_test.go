package observe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The registry may cost a program 300 KB: as it is shipped, without debug symbols,
// which about double whatever is added.
func TestTheRegistryAdds300KBToABinary(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("links four programs: not with -short, nor once more for the race detector")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	size := func(program string) int64 {
		out := filepath.Join(t.TempDir(), program)
		cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", out, "./testdata/size/"+program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		msg, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", msg)
		info, err := os.Stat(out)
		require.NoError(t, err)
		return info.Size()
	}
	// To a program that logs with slog already, and to one that does not.
	for program, base := range map[string]string{"with": "without", "quietwith": "quiet"} {
		added := size(program) - size(base)
		t.Logf("%s: %d bytes", program, added)
		require.Positive(t, added)
		require.Less(t, added, int64(300<<10))
	}
}
