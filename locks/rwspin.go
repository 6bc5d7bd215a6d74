package locks

import (
	"sync/atomic"

	"github.com/poundlock/poundlock/internal/rt"
)

// spinner says how a waiter waits awake before it sleeps: it looks again up to
// rounds times, so many PAUSEs apart.
type spinner struct {
	rounds int
	pauses uint32
}

// Writers use sync.Mutex's numbers. A writer that waits for readers to leave, and a
// reader that waits for one writer, is sure of its turn and looks more often: BenchmarkMixed with
// 1 % writes and a section of 200 ns takes 0.6 of the time that it does without.
var (
	writerSpin = spinner{4, 30}
	readerSpin = spinner{20, 5}
)

// spin spends one round of waiting awake if the runtime thinks that it pays.
func (sp *spinner) spin(round *int) bool {
	// The runtime allows the first few rounds only; its other conditions hold for
	// all: more than one P, another running, and nothing else to run on this one.
	if *round >= sp.rounds || !rt.CanSpin(min(*round, 3)) {
		return false
	}
	rt.ProcYield(sp.pauses)
	*round++
	return true
}

// Sections shorter than it takes to move a cache line run faster on one core than
// on two: readers that always find the lock open at their first look had better
// sleep and leave it to the writer's core for a while, as those of sync.RWMutex
// do (BenchmarkMixed/writes=10%/section=0: half the time). So the rounds that
// readers need are averaged, in 128ths, and when there are few they spin only
// once in a while, to learn when that changes.
const (
	someRounds = 256 // the average that a new lock has
	fewRounds  = 160
	fewBiased  = 208 // with bias, where a writer takes longer to get in
	mostRounds = 4   // that are averaged: more mean that a writer was descheduled
	retryEvery = 16  // contended reads
)

// pace is what the readers of a lock have learned of the length of its sections.
// The zero value knows nothing.
type pace struct {
	rounds atomic.Int32 // the average, less someRounds
}

// short reports whether sections are as short as that.
func (p *pace) short(withBias bool) bool {
	few := int32(fewRounds)
	if withBias {
		few = fewBiased
	}
	return p.rounds.Load()+someRounds < few
}

// learn adds the rounds that a reader needed to the average. Of two at once one may
// be lost.
func (p *pace) learn(rounds int) {
	r := p.rounds.Load() + someRounds
	p.rounds.Store(r + (int32(128*min(rounds, mostRounds))-r)/8 - someRounds)
}

// sleepsEarly says whether a reader should not spin. Parallel readers, with bias,
// always do.
func (x *rwExt) sleepsEarly(s uint64) bool {
	return s&biased == 0 && x.pace.short(false) && x.readContended.Load()%retryEvery != 0
}
