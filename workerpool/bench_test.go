package workerpool_test

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/workerpoolbench"
)

// BenchmarkWorkerpool compares with ants, with goroutines and errgroup, and with a
// channel, by the code and the configurations of the command in bench.
func BenchmarkWorkerpool(b *testing.B) { compare.Bench(b, workerpoolbench.Cases()) }
