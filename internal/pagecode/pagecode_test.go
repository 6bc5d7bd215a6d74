package pagecode

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStrays(t *testing.T) {
	sources := []string{"func a() {\n\tx := 1\n\n\tif x {\n\t\ty()\n\t}\n}\n"}
	for block, want := range map[string]int{
		"x := 1\n\nif x {\n\ty()\n}": 0,
		"x := 1\nif x {":             1,
		"x := 2":                     1,
		"x := ":                      1, // not a whole line
		"if x {\n\ty()":              0,
	} {
		require.Len(t, Strays("before\n\n```go\n"+block+"\n```\nafter", sources), want, block)
	}
}
