//go:build !gc || !go1.26 || go1.28 || !(amd64 || arm64) || poundlock_portable

package rt

import (
	"bytes"
	"runtime"
	"strconv"
)

// Goroutine returns a number that no other living goroutine has: in this build the
// one that a goroutine's stack trace begins with, which takes about 1 µs to get.
func Goroutine() uint64 {
	var buf [40]byte
	s := buf[:runtime.Stack(buf[:], false)]
	s = bytes.TrimPrefix(s, []byte("goroutine "))
	if i := bytes.IndexByte(s, ' '); i > 0 {
		s = s[:i]
	}
	id, err := strconv.ParseUint(string(s), 10, 64)
	if err != nil {
		panic("rt: a stack trace does not begin with the goroutine's number")
	}
	return id
}
