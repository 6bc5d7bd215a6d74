// Command bench compares every poundlock package with the standard library and
// ants, side by side in one run: go run -C bench .. See bench/README.md.
package main

import (
	"time"

	"github.com/poundlock/poundlock/bench/internal/runner"
	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/batchchanbench"
	"github.com/poundlock/poundlock/internal/compare/connpoolbench"
	"github.com/poundlock/poundlock/internal/compare/floorbench"
	"github.com/poundlock/poundlock/internal/compare/lockfreebench"
	"github.com/poundlock/poundlock/internal/compare/locksbench"
	"github.com/poundlock/poundlock/internal/compare/objpoolbench"
	"github.com/poundlock/poundlock/internal/compare/observebench"
	"github.com/poundlock/poundlock/internal/compare/workerpoolbench"
)

// groups are the cases of every package.
var groups = []compare.Group{
	{Name: "workerpool", Cases: func() []compare.Case { return workerpoolbench.Cases() }},
	{Name: "batchchan", Cases: func() []compare.Case { return batchchanbench.Cases() }},
	{Name: "connpool", Cases: func() []compare.Case { return connpoolbench.Cases() }},
	{Name: "lockfree", Cases: func() []compare.Case { return lockfreebench.Cases() }},
	{Name: "locks", Cases: func() []compare.Case { return locksbench.Cases() }},
	{Name: "objpool", Cases: func() []compare.Case { return objpoolbench.Cases() }},
	{Name: "observe", Cases: func() []compare.Case { return observebench.Cases() }},
	{Name: "floor", Cases: floorbench.Cases},
}

const fullTime = 5 * time.Minute

func main() { runner.Main(fullTime, groups...) }
