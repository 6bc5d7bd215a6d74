package objpool_test

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/objpoolbench"
)

// BenchmarkObjpool compares with sync.Pool, with a slice under a mutex, and with a
// channel, by the code and the configurations of the command in bench.
func BenchmarkObjpool(b *testing.B) { compare.Bench(b, objpoolbench.Cases()) }
