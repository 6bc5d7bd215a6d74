package lockfree_test

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/lockfreebench"
)

// BenchmarkLockfree compares with the standard library and ants, by the code and the
// configurations of the command in bench.
func BenchmarkLockfree(b *testing.B) { compare.Bench(b, lockfreebench.Cases()) }
