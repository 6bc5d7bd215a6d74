package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/bench/internal/runner"
)

// ants starts goroutines when it is imported.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// Every case is well declared, and every bar names a case and a baseline that exist.
func TestCasesAndBars(t *testing.T) {
	bars, err := filepath.Glob("bars/*.txt")
	require.NoError(t, err)
	more, err := filepath.Glob("bars/*/*.txt")
	require.NoError(t, err)
	require.NoError(t, runner.Verify(append(bars, more...), groups...))
}
