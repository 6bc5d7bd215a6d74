// Package stats holds what the Stats of several packages are made of: a [Histogram]
// of latencies with its [Latency] summary and its [Snapshot], ratios and rates that
// survive zero denominators, and the padding that keeps hot words on cache lines of
// their own. The [Counter] is for the benchmarks: the packages count in the
// atomics that they need anyway, or per P in words of their own.
package stats
