package batchchanbench

import (
	"slices"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
)

// Peer makes batchers of one implementation. A nil function keeps it out of the
// cases that need it.
type Peer struct {
	Name   string // "rill"
	Config string // its configuration in a few words, for the report

	// New starts a batcher that calls process, from one goroutine at a time, with
	// batches of at most size items, linger after a batch's first item at the
	// latest. The slice is process's until it returns.
	New func(size int, linger time.Duration, process func([]int)) Batcher

	// NewCaller starts a batcher of calls: answer sets res[i] for reqs[i].
	NewCaller func(answer func(reqs, res []int)) Caller

	// NewMerger is NewCaller where equal requests that meet are sent as one.
	NewMerger func(answer func(reqs, res []int)) Caller
}

// Batcher is what the cases need of a batcher.
type Batcher struct {
	// Send hands one item over and waits for room. Any goroutine may call it.
	Send func(item int)

	// Close processes what is left and returns when that is done.
	Close func()
}

// Caller is what the cases need of a batcher of calls.
type Caller struct {
	Do    func(req int) int
	Close func() // may be nil
}

// The names of the implementations in the root module.
const (
	namePoundlock = "poundlock"
	nameChan      = "chan"
	nameSelect    = "select"
	nameSlices    = "slices"
)

const linger = 5 * time.Millisecond

// pending is the number of items that may wait.
func pending(size int) int { return max(4096, 4*size) }

// Cases returns every comparison. The peers are measured after the root module's
// own implementations wherever they have what a case needs.
func Cases(peers ...Peer) []compare.Case {
	return slices.Concat(
		sends(peers),
		lanes(),
		slowConsumers(peers),
		lone(peers),
		latencies(peers),
		pairs(),
		calls(peers),
		merges(peers),
		partials(),
	)
}

// newCase makes a case that is held against those baselines that take part.
func newCase(name, doc string, impls []compare.Impl, baselines ...string) compare.Case {
	baselines = slices.DeleteFunc(slices.Clone(baselines), func(b string) bool {
		return !slices.ContainsFunc(impls, func(i compare.Impl) bool { return i.Name == b })
	})
	return compare.Case{Group: "batchchan", Name: name, Doc: doc, Impls: impls, Baselines: baselines}
}

// peerNames lists the peers that can batch, or those that can call.
func peerNames(peers []Peer, has func(Peer) bool) []string {
	var names []string
	for _, p := range peers {
		if has(p) {
			names = append(names, p.Name)
		}
	}
	return names
}

func batches(p Peer) bool { return p.New != nil }

func answers(p Peer) bool { return p.NewCaller != nil }
