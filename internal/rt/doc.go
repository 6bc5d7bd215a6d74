// Package rt is the one place where poundlock reaches into the Go runtime.
//
// It holds the few runtime functions that Go keeps reachable by linkname for
// compatibility (see https://go.dev/issue/67401), and a portable twin of each for
// builds that cannot have them. Code that uses this package must be correct with
// either; [Pinned] says which one is in the build.
//
// [Goroutine] is a few lines of assembly instead, on amd64 and arm64, also in race
// builds. Race builds have [Labels] too.
//
// # Which builds reach into the runtime
//
// Those of the gc compiler of Go 1.26 or 1.27, without the race detector and without
// the build tag poundlock_portable. What is used is not part of any promise of Go's,
// so it is used only in the versions for which it was verified, and a version that is
// not known gets the portable twins: it may be slower, but does not misbehave.
// Nothing is decided at run time. With the build tag poundlock_pinned, a build that
// would get the portable twins fails instead.
//
//   - A function that is gone, or that may no longer be linked to, fails at link time.
//   - The linker does not compare types. TestTheRuntimeIsAsDeclared does, with the
//     source of the toolchain in use, and also looks that ReadMemStats still stops
//     the world.
//   - TestWaitForPinnedWaits, TestGraceIsOverAfterPinnedSectionsAndACollection and
//     their neighbours watch the behaviour itself.
//
// To admit another version of Go, raise the bound in all build constraints here, and
// run the tests of this package and of objpool with it. TestExactlyOneTwin finds a
// constraint that was left out.
package rt
