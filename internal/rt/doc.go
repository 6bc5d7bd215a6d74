// Package rt is the one place where poundlock reaches into the Go runtime.
//
// It holds the few runtime functions that Go keeps reachable by linkname for
// compatibility (see https://go.dev/issue/67401), and a portable twin of each
// for race builds, other compilers and the build tag poundlock_portable. Code
// that uses this package must be correct with either; [Pinned] tells which one
// is in the build.
//
// A changed runtime fails at link time (an unknown linkname), not at run time.
package rt
