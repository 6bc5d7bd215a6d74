// Command bench compares every poundlock package with the standard library and
// ants, side by side in one run: go run ./bench. See bench/README.md.
package main

import (
	"github.com/poundlock/poundlock/bench/internal/batchchanbench"
	"github.com/poundlock/poundlock/bench/internal/connpoolbench"
	"github.com/poundlock/poundlock/bench/internal/floorbench"
	"github.com/poundlock/poundlock/bench/internal/lockfreebench"
	"github.com/poundlock/poundlock/bench/internal/locksbench"
	"github.com/poundlock/poundlock/bench/internal/objpoolbench"
	"github.com/poundlock/poundlock/bench/internal/runner"
	"github.com/poundlock/poundlock/bench/internal/workerpoolbench"
)

// groups are the cases of every package, one line each.
var groups = [][]runner.Case{
	floorbench.Cases(),
	workerpoolbench.Cases(),
	batchchanbench.Cases(),
	connpoolbench.Cases(),
	lockfreebench.Cases(),
	locksbench.Cases(),
	objpoolbench.Cases(),
}

func main() { runner.Main(groups...) }
