package batchchan_test

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/batchchanbench"
)

// BenchmarkBatchchan compares with a channel, and with a select over a channel and a
// timer, by the code and the configurations of the command in bench.
func BenchmarkBatchchan(b *testing.B) { compare.Bench(b, batchchanbench.Cases()) }
