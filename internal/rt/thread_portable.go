//go:build !gc || !go1.26 || go1.28 || race || poundlock_portable

package rt

import "runtime/debug"

// Thread returns a random hint of at least 1 in this build.
func Thread() int { return Stripe()&0xffff + 1 }

// NumberThread is Thread in this build.
func NumberThread() int { return Thread() }

// Fatal ends the process as an unrecoverable error, with the stack of the
// caller: a panic in a goroutine of its own, which no deferred function of the
// caller's can recover.
func Fatal(s string) {
	msg := "fatal error: " + s + "\n\n" + string(debug.Stack())
	go func() { panic(msg) }()
	select {}
}
