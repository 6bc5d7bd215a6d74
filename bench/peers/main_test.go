package main

import (
	"path/filepath"
	"testing"

	"github.com/poundlock/poundlock/bench/internal/runner"
)

// Every case is well declared, and every bar, of the wider field too, names a case
// and a baseline that exist.
func TestCasesAndBars(t *testing.T) {
	bars, _ := filepath.Glob("../bars/*.txt")
	more, _ := filepath.Glob("bars/*.txt")
	if err := runner.Verify(append(bars, more...), groups...); err != nil {
		t.Fatal(err)
	}
}
