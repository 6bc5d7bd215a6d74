//go:build race

package runner

// raceEnabled: the run checks correctness; its times mean nothing, so no ratio
// is printed.
const raceEnabled = true
