//go:build poundlock_pinned && (386 || arm || mips || mipsle)

package objpool

// Package rt refuses the tag poundlock_pinned where nothing can be pinned. The engine
// also needs words of 64 bits: this does not compile, and says why.
var _ = poundlock_pinned_needs_a_64_bit_machine
