// Package stats holds what every Stats() in poundlock is made of: a striped
// [Counter], a latency [Histogram] with its [Latency] summary, ratios and rates
// that survive zero denominators, and the padding that keeps hot words on cache
// lines of their own.
package stats
