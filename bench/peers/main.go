// Command peers makes the same comparison as go run -C bench . with the wider field
// added: go run -C bench/peers . from the root of the repository. It is a module
// of its own so that none of the libraries it measures reaches poundlock's users.
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

// groups are the cases of every package with the peers' adapters, which are in
// workerpool.go and so on.
var groups = []compare.Group{
	{Name: "workerpool", Cases: func() []compare.Case { return workerpoolbench.Cases(workerpoolPeers...) }},
	{Name: "batchchan", Cases: func() []compare.Case { return batchchanbench.Cases(batchchanPeers...) }},
	{Name: "connpool", Cases: func() []compare.Case { return connpoolbench.Cases(connpoolPeers...) }},
	{Name: "lockfree", Cases: func() []compare.Case { return lockfreebench.Cases(lockfreePeers...) }},
	{Name: "locks", Cases: func() []compare.Case { return locksbench.Cases(lockPeers...) }},
	{Name: "objpool", Cases: func() []compare.Case { return objpoolbench.Cases(objpoolPeers...) }},
	{Name: "observe", Cases: func() []compare.Case { return observebench.Cases() }},
	{Name: "floor", Cases: floorbench.Cases},
}

// There are half as many implementations again as in go run -C bench ..
const fullTime = 10 * time.Minute

func main() { runner.Main(fullTime, groups...) }
