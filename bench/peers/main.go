// Command peers makes the same comparison as go run ./bench with the wider field
// added: go run -C bench/peers . from the root of the repository. It is a module
// of its own so that none of the libraries it measures reaches poundlock's users.
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

// groups are the cases of every package with the peers' adapters, which are in
// workerpool.go and so on.
var groups = []runner.Group{
	{Name: "workerpool", Cases: func() []runner.Case { return workerpoolbench.Cases(workerpoolPeers...) }},
	{Name: "batchchan", Cases: func() []runner.Case { return batchchanbench.Cases(batchchanPeers...) }},
	{Name: "connpool", Cases: func() []runner.Case { return connpoolbench.Cases(connpoolPeers...) }},
	{Name: "lockfree", Cases: func() []runner.Case { return lockfreebench.Cases(lockfreePeers...) }},
	{Name: "locks", Cases: func() []runner.Case { return locksbench.Cases(lockPeers...) }},
	{Name: "objpool", Cases: func() []runner.Case { return objpoolbench.Cases(objpoolPeers...) }},
	{Name: "observe", Cases: func() []runner.Case { return observebench.Cases() }},
	{Name: "floor", Cases: floorbench.Cases},
}

// There are half as many implementations again as in go run ./bench.
const fullTime = 10 * time.Minute

func main() { runner.Main(fullTime, groups...) }
