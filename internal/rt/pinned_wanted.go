//go:build poundlock_pinned && (!gc || !go1.26 || go1.28 || race || poundlock_portable)

package rt

// Who builds with the tag poundlock_pinned would rather have no program than one
// with the portable twins: this does not compile, and says why.
var _ = poundlock_pinned_needs_gc_of_Go_1_26_or_1_27_without_race_or_poundlock_portable
