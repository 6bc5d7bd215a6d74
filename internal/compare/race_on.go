//go:build race

package compare

// RaceEnabled: the run checks correctness; its times mean nothing, so no ratio
// is printed.
const RaceEnabled = true
