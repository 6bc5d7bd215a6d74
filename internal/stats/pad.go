package stats

// Line is how far apart two words must be so that writing one does not slow the
// other. It is two 64-byte cache lines: current x86 and arm64 cores prefetch
// lines in adjacent pairs, so 64 bytes still shows false sharing (the same
// choice as crossbeam's CachePadded and folly's
// hardware_destructive_interference_size).
const Line = 128

// Pad separates fields of a struct by a whole [Line].
type Pad [Line]byte
