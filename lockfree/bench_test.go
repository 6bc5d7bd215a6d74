package lockfree_test

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/lockfreebench"
)

// BenchmarkLockfree compares with a channel, with a ring under a mutex, and with the
// textbook's queue, by the code and the configurations of the command in bench.
func BenchmarkLockfree(b *testing.B) { compare.Bench(b, lockfreebench.Cases()) }
