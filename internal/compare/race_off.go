//go:build !race

package compare

const RaceEnabled = false
