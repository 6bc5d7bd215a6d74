package connpool_test

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/connpoolbench"
)

// BenchmarkConnpool compares with the standard library and ants, by the code and the
// configurations of the command in bench.
func BenchmarkConnpool(b *testing.B) { compare.Bench(b, connpoolbench.Cases()) }
