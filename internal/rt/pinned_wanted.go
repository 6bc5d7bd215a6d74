//go:build poundlock_pinned && (!gc || !go1.26 || go1.28 || race || poundlock_portable)

package rt

// The tag poundlock_pinned asks for the reach into the runtime, and for no program
// rather than one with the portable twins. Where the reach is not built this file is,
// and it does not compile: the undefined name says why.
var _ = poundlock_pinned_needs_gc_of_Go_1_26_or_1_27_without_race_or_poundlock_portable
