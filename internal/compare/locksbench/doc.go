// Package locksbench holds the comparisons of poundlock's locks with those of the
// standard library and with the algorithm of ants' spin lock. The nested module
// bench/peers adds the wider field to the same cases.
//
// # What is held equal
//
// Every implementation has its own copy of the measured loop, a dozen lines with
// its methods called directly: behind an interface or a type parameter no fast
// path would be inlined, which for an uncontended lock is a quarter of its time.
// poundlock's locks run with their counters, which cannot be turned off.
//
// The data that a lock guards is counted up by writers and must add up at the
// end. Sections are a fixed number of arithmetic steps, calibrated once per run.
//
// The implementation "floor" of the read-only cases does the same work with no
// lock at all: nothing can be faster, so it shows how much of a ratio is the
// section's own time.
package locksbench
