// Package workerpoolbench holds the comparisons of poundlock's workerpool with
// the standard library and ants. The nested module bench/peers adds the wider
// field to the same cases.
//
// # What is held equal
//
// Every implementation of a case gets the same tasks from the same producers
// through one indirect call, and its best documented configuration. Tasks are
// made once, outside the timed part, so that bytes and allocations per op are
// the pool's own. A task marks that it ran in a striped counter, whose cells are
// not shared between Ps: counting costs a few nanoseconds and no contention. A
// case ends when all of its tasks have run and fails when one is missing or ran
// twice.
//
// # Time
//
// Work is a fixed number of arithmetic steps, not a sleep: see spin.go. Latency
// is measured open-loop from the scheduled arrival: see latency.go.
package workerpoolbench
