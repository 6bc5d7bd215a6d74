//go:build gc && go1.26 && !go1.28 && !poundlock_portable

package rt

import "unsafe"

// SeesLabels reports whether [Labels] sees the labels.
const SeesLabels = true

// Labels returns the address of the calling goroutine's pprof labels, nil without any.
// They never change in place: another address means that they have been set anew.
//
//go:linkname Labels runtime/pprof.runtime_getProfLabel
func Labels() unsafe.Pointer
