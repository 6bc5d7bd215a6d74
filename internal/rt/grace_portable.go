//go:build !gc || !go1.26 || go1.28 || race || poundlock_portable

package rt

// A Grace shows when every section between [Pin] and [Unpin] that was running when
// [NewGrace] was called has ended. In this build nothing is pinned.
type Grace struct{ _ struct{} }

// NewGrace begins a grace period.
func NewGrace() Grace { return Grace{} }

// Over reports true in this build.
func (g Grace) Over() bool { return true }
