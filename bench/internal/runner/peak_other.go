//go:build !unix

package runner

// peakMemory is not known here: rows carry no peak-bytes.
func peakMemory() uint64 { return 0 }
