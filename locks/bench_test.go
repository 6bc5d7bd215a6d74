package locks_test

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/locksbench"
)

// BenchmarkLocks compares with sync's locks, and with the algorithm of ants' spin
// lock, by the code and the configurations of the command in bench.
func BenchmarkLocks(b *testing.B) { compare.Bench(b, locksbench.Cases()) }
