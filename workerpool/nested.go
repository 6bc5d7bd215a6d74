package workerpool

import (
	"bytes"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// self returns the caller's worker if the calling goroutine is running one of
// this pool's tasks, else nil. It is asked only where a call is about to wait.
//
// Most callers are ruled out by their stack alone, which has no worker at its
// bottom (0.3 µs, BenchmarkOnWorkerStack); only for workers, of any pool, the goroutine's number decides
// (1 µs).
func (c *core[T]) self() *worker {
	if !onWorkerStack() {
		return nil
	}
	id := goroutineID()
	c.mu.Lock()
	defer c.mu.Unlock()
	for w := c.all; w != nil; w = w.next {
		if w.id.Load() == id {
			return w
		}
	}
	return nil
}

// packagePrefix begins the name of each of this package's functions.
var packagePrefix = sync.OnceValue(func() string {
	name := runtime.FuncForPC(reflect.ValueOf(New).Pointer()).Name()
	return strings.TrimSuffix(name, "New")
})

// onWorkerStack reports whether the calling goroutine was started as a worker of
// some pool.
func onWorkerStack() bool {
	var pcs [64]uintptr
	for skip := 2; ; {
		n := runtime.Callers(skip, pcs[:])
		if n == len(pcs) { // the bottom is further down
			skip += n - 4
			continue
		}
		// The bottom: ..., core.start or core.restart, runtime.goexit.
		return slices.ContainsFunc(pcs[max(0, n-3):n], isWorkerEntry)
	}
}

// isWorkerEntry reports whether pc is in a function that a worker's goroutine
// begins with. There are few such places, so the answers are kept: looking up a
// function's name takes longer than walking a short stack.
func isWorkerEntry(pc uintptr) bool {
	if known, ok := entries.Load(pc); ok {
		return known.(bool)
	}
	is := false
	if f := runtime.FuncForPC(pc - 1); f != nil {
		name, ours := strings.CutPrefix(f.Name(), packagePrefix())
		is = ours && (strings.HasSuffix(name, ".start") || strings.HasSuffix(name, ".restart"))
	}
	entries.Store(pc, is)
	return is
}

var entries sync.Map // of uintptr to bool

// goroutineID returns the number that a goroutine's stack trace begins with. Go
// has no other way to ask whether two calls come from one goroutine.
func goroutineID() uint64 {
	var buf [40]byte
	s := buf[:runtime.Stack(buf[:], false)]
	s = bytes.TrimPrefix(s, []byte("goroutine "))
	if i := bytes.IndexByte(s, ' '); i > 0 {
		s = s[:i]
	}
	id, _ := strconv.ParseUint(string(s), 10, 64)
	return id
}
