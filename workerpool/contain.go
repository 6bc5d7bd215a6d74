package workerpool

import (
	"runtime"
	"runtime/debug"
)

// fate is how a call of a user's function ended.
type fate struct {
	kind  fateKind
	value any    // of a panic
	stack []byte // of a panic
}

type fateKind uint8

const (
	exited   fateKind = iota // it ended its goroutine by runtime.Goexit
	returned                 // it returned
	panicked                 // it panicked; where it did so during a Goexit, that still goes on
)

// contain calls f and notes in how how that ended. A panic goes no further. Where f
// calls runtime.Goexit, contain does not return: how is right in the deferred calls
// of the caller, and the goroutine ends after them, even if f panicked on the way.
func contain(how *fate, f func()) {
	*how = fate{} // exited, unless something else is noted
	guard(how, f)
	if how.kind == exited { // but this goroutine goes on: with GODEBUG=panicnil=1 recover returned nil for a panic(nil)
		how.kind, how.value = panicked, new(runtime.PanicNilError)
	}
}

func guard(how *fate, f func()) {
	defer func() {
		if how.kind == returned {
			return
		}
		how.stack = debug.Stack()
		if v := recover(); v != nil {
			how.kind, how.value = panicked, v
		}
	}()
	f()
	how.kind = returned
}
