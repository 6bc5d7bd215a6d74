//go:build gc && go1.26 && !go1.28 && !poundlock_portable

package workerpool

import "unsafe"

// seesLabels says that labelsNow tells whether a task has changed its labels.
const seesLabels = true

// labelsNow returns the address of the calling goroutine's pprof labels, which never
// change in place. The Go runtime keeps this name for those who link to it.
//
//go:linkname labelsNow runtime/pprof.runtime_getProfLabel
func labelsNow() unsafe.Pointer
