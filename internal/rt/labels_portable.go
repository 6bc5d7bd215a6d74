//go:build !gc || !go1.26 || go1.28 || poundlock_portable

package rt

import "unsafe"

// SeesLabels reports whether [Labels] sees the labels.
const SeesLabels = false

// Labels returns nil in this build.
func Labels() unsafe.Pointer { return nil }
