//go:build race

package batchchan

const raceEnabled = true
