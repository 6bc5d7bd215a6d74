// Command peers makes the same comparison as go run ./bench with the wider field
// added: go run -C bench/peers . from the root of the repository. It is a module
// of its own so that none of the libraries it measures reaches poundlock's users.
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

// groups are the cases of every package with the peers' adapters, one line each:
// workerpoolbench.Cases(workerpoolPeers...), adapters in workerpool.go.
var groups = [][]runner.Case{
	floorbench.Cases(),
	workerpoolbench.Cases(workerpoolPeers...),
	batchchanbench.Cases(batchchanPeers...),
	connpoolbench.Cases(connpoolPeers...),
	lockfreebench.Cases(lockfreePeers...),
	locksbench.Cases(lockPeers...),
	objpoolbench.Cases(objpoolPeers...),
}

func main() { runner.Main(groups...) }
