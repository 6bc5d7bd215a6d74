package batchchan

import "unsafe"

// hotOffsets returns where in its cache line the words of Send's fast path are.
func hotOffsets() (lock, room uintptr) {
	var g engine[int]
	return unsafe.Offsetof(g.mu), unsafe.Offsetof(g.core) + unsafe.Offsetof(g.core.backlog) + unsafe.Offsetof(g.core.backlog.room)
}

// What tests from outside share with those from inside.
var (
	CheckQuiet    = checkQuiet
	RequireFailed = requireFailed
)
