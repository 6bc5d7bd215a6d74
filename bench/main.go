// Command bench compares every poundlock package with the standard library and
// ants, side by side in one run: go run ./bench. See bench/README.md.
package main

import (
	"time"

	"github.com/poundlock/poundlock/bench/internal/batchchanbench"
	"github.com/poundlock/poundlock/bench/internal/connpoolbench"
	"github.com/poundlock/poundlock/bench/internal/floorbench"
	"github.com/poundlock/poundlock/bench/internal/lockfreebench"
	"github.com/poundlock/poundlock/bench/internal/locksbench"
	"github.com/poundlock/poundlock/bench/internal/objpoolbench"
	"github.com/poundlock/poundlock/bench/internal/observebench"
	"github.com/poundlock/poundlock/bench/internal/runner"
	"github.com/poundlock/poundlock/bench/internal/workerpoolbench"
)

// groups are the cases of every package.
var groups = []runner.Group{
	{Name: "workerpool", Cases: func() []runner.Case { return workerpoolbench.Cases() }},
	{Name: "batchchan", Cases: func() []runner.Case { return batchchanbench.Cases() }},
	{Name: "connpool", Cases: func() []runner.Case { return connpoolbench.Cases() }},
	{Name: "lockfree", Cases: func() []runner.Case { return lockfreebench.Cases() }},
	{Name: "locks", Cases: func() []runner.Case { return locksbench.Cases() }},
	{Name: "objpool", Cases: func() []runner.Case { return objpoolbench.Cases() }},
	{Name: "observe", Cases: func() []runner.Case { return observebench.Cases() }},
	{Name: "floor", Cases: floorbench.Cases},
}

const fullTime = 5 * time.Minute

func main() { runner.Main(fullTime, groups...) }
