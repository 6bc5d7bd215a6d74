package runinfo_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/internal/runinfo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFold(t *testing.T) {
	for _, c := range []struct{ words, want string }{
		{"a b", "a b\n"},
		{strings.Repeat("x", 40) + " " + strings.Repeat("y", 39), strings.Repeat("x", 40) + " " + strings.Repeat("y", 39) + "\n"},
		{strings.Repeat("x", 40) + " " + strings.Repeat("y", 40), strings.Repeat("x", 40) + "\n  " + strings.Repeat("y", 40) + "\n"},
		{"a " + strings.Repeat("µ", 78) + " b", "a " + strings.Repeat("µ", 78) + "\n  b\n"},
	} {
		var b strings.Builder
		require.NoError(t, runinfo.Fold(&b, strings.Fields(c.words)))
		require.Equal(t, c.want, b.String())
	}
}

func TestField(t *testing.T) {
	path := filepath.Join(t.TempDir(), "info")
	require.NoError(t, os.WriteFile(path, []byte("processor\t: 0\nmodel name\t: A: B\nmodel name\t: C\n"), 0o600))
	require.Equal(t, "A: B", runinfo.Field(path, "model name"))
	require.Empty(t, runinfo.Field(path, "model"))
	require.Empty(t, runinfo.Field(path+"x", "model name"))
}
