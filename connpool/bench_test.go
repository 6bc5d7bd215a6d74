package connpool_test

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/connpoolbench"
)

// BenchmarkConnpool compares with a channel and with database/sql, by the code and
// the configurations of the command in bench.
func BenchmarkConnpool(b *testing.B) { compare.Bench(b, connpoolbench.Cases()) }
