// Package rt is the one place where poundlock reaches into the Go runtime.
//
// It holds the few runtime functions that Go keeps reachable by linkname for
// compatibility (see https://go.dev/issue/67401), and a portable twin of each
// for race builds, other compilers and the build tag poundlock_portable. Code
// that uses this package must be correct with either; [Pinned] tells which one
// is in the build.
//
// [Goroutine] is a few lines of assembly instead, on amd64 and arm64, also in race
// builds.
//
// A changed runtime fails at link time (an unknown linkname), not at run time.
package rt
