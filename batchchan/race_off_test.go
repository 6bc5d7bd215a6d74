//go:build !race

package batchchan_test

const raceEnabled = false
