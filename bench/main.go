// Command bench compares every poundlock package with the standard library and
// ants, side by side in one run: go run ./bench. See bench/README.md.
package main

import (
	"github.com/poundlock/poundlock/bench/internal/floorbench"
	"github.com/poundlock/poundlock/bench/internal/lockfreebench"
	"github.com/poundlock/poundlock/bench/internal/runner"
	"github.com/poundlock/poundlock/bench/internal/workerpoolbench"
)

// groups are the cases of every package, one line each.
var groups = [][]runner.Case{
	floorbench.Cases(),
	lockfreebench.Cases(),
	workerpoolbench.Cases(),
}

func main() { runner.Main(groups...) }
