package workerpoolbench

import (
	"slices"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/work"
)

// Peer makes pools of one implementation.
type Peer struct {
	Name   string // "ants"; poundlock's is "poundlock"
	Config string // its configuration in a few words, for the report

	// New starts a pool that runs at most workers tasks at once.
	New func(workers int) Pool

	// NewFunc starts a pool of one function whose tasks are its arguments. It is
	// nil where the implementation has no such form.
	NewFunc func(workers int, fn func(int)) FuncPool

	// Queue says what Submit does while all workers are busy.
	Queue Queue
}

// Queue says what a submitter meets when all workers are busy.
type Queue int

// What Submit does while all workers are busy.
const (
	NoQueue   Queue = iota // waits for a worker
	Bounded                // puts the task into a queue, and waits while that is full
	Unbounded              // always puts the task into a queue, or starts a goroutine
)

// Pool is what the cases need of a pool.
type Pool struct {
	// Submit hands a task over, and may wait for room. An error fails the case.
	Submit func(task func()) error

	// Close ends the pool. It is called after every task has run. It may be nil.
	Close func()
}

// FuncPool is what the cases need of a pool of one function.
type FuncPool struct {
	Invoke func(arg int) error // like Submit, for one argument
	Close  func()              // may be nil
}

func (p Pool) close() {
	if p.Close != nil {
		p.Close()
	}
}

func (p FuncPool) close() {
	if p.Close != nil {
		p.Close()
	}
}

// The names of the root implementations that poundlock is held against.
const (
	nameAnts = "ants"
	nameGo   = "go"
	nameChan = "chan"
)

// roots are the implementations measured in every case, poundlock's first.
func roots() []Peer {
	return append(poundlocks(), antsPool(), antsMulti(), goroutines(), errGroup(), channel())
}

// Cases returns every comparison. The peers are measured in all of them, after
// the root module's own implementations.
func Cases(peers ...Peer) []compare.Case {
	work.StepsPerMicrosecond() // once, before the processes that measure are started
	all := append(roots(), peers...)
	return slices.Concat(
		smallTasks(all),
		scaling(all),
		funcPools(all),
		latencies(all),
		bursts(all),
		users(all),
		sleeps(all),
		throughputs(all),
		idles(all),
		timings(),
	)
}

// newCase makes a case of this group that is held against those of the
// baselines that take part in it.
func newCase(name, doc string, impls []compare.Impl, baselines ...string) compare.Case {
	has := func(name string) bool {
		return slices.ContainsFunc(impls, func(i compare.Impl) bool { return i.Name == name })
	}
	baselines = slices.DeleteFunc(slices.Clone(baselines), func(b string) bool { return !has(b) })
	return compare.Case{Group: "workerpool", Name: name, Doc: doc, Impls: impls, Baselines: baselines}
}

// names lists the peers' names.
func names(peers []Peer) []string {
	var s []string
	for _, p := range peers {
		s = append(s, p.Name)
	}
	return s
}
