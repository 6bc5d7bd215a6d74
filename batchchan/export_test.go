package batchchan

import "unsafe"

// hotOffsets returns where in its cache line the words of Send's fast path are.
func hotOffsets() (lock, room uintptr) {
	var c core[int]
	return unsafe.Offsetof(c.mu), unsafe.Offsetof(c.backlog) + unsafe.Offsetof(c.backlog.room)
}

// What tests from outside share with those from inside.
var (
	CheckQuiet    = checkQuiet
	RequireFailed = requireFailed
)
