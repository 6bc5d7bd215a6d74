// Package objpoolbench holds the comparisons of poundlock's objpool with the
// standard library. The nested module bench/peers adds the wider field to the same
// cases.
//
// # What is held equal
//
// Every implementation pools the same objects and makes them with the same function.
// A Get and a Put together take about 10 ns, less than two indirect calls would add
// in relation: so each implementation brings its own loops over them, written out with
// direct calls (see [Pool]; those that take many times as long share [Calls]), and
// nothing else is in the timed part.
//
// Each use of an object is counted in the object itself, plainly. A pool that hands
// one object to two users at once loses counts, one that skips work lacks them: the
// sum over all objects ever made must be exact, or the case fails.
//
// sync.Pool has no bound, and drops what it holds at garbage collections; the others
// are given room for more objects than the case uses, so that none is refused.
package objpoolbench
