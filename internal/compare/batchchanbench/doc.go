// Package batchchanbench holds the comparisons of poundlock's batchchan with the
// standard library: a bare channel, a batcher written by hand around a select,
// and slices that each producer fills for itself, which is the limit. The nested
// module bench/peers adds the wider field to the same cases.
//
// # What is held equal
//
// One op is one item, an int, from one of P producers to one consumer, through a
// buffer of 4096 items or 4 batches if that is more. Every batcher cuts at B items
// or 5 ms after a batch's first item and calls the same function with each batch,
// which adds the items up; the bare channel's consumer adds them one by one. Items
// are 1, 2, 3, ... so that the sum proves that each came once; a case fails when
// count or sum is wrong.
//
// # Time
//
// Lateness and latency are measured by the items themselves, which carry the time
// at which they were due: see latency.go.
package batchchanbench
