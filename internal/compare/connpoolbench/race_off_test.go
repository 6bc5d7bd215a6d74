//go:build !race

package connpoolbench

const raceEnabled = false
