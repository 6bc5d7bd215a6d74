//go:build gc && go1.26 && !go1.28 && (amd64 || arm64) && !poundlock_portable

package rt

// Goroutine returns a number that no other living goroutine has. It is the address
// of the runtime's record of the calling goroutine, which never moves, but which a
// new goroutine may get once this one has ended.
func Goroutine() uint64
