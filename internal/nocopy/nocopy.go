// Package nocopy marks values that must not be copied after their first use.
package nocopy

// NoCopy makes "go vet" report copies of the struct that has it as a field, as it
// does for a sync.Mutex. It takes no space, unless it is the last field.
type NoCopy struct{}

// Lock does nothing: vet's copylocks check looks for it.
func (*NoCopy) Lock() {}

// Unlock does nothing: vet's copylocks check looks for it.
func (*NoCopy) Unlock() {}
