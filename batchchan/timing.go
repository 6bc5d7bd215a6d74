package batchchan

import (
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// timing records how old batches are when they are taken and how long the processor
// has them. It needs no lock.
type timing struct {
	age  stats.Histogram // of the first item when its batch is taken
	proc stats.Histogram // of a batch in the processor
}

// A look at the clock takes as long as several items. So after a batch of a run
// that took less than quickBatch, up to maxUntimed that follow are timed together.
const (
	quickBatch = time.Microsecond
	maxUntimed = 7
)

// begin records a batch whose first item came at that time and that is taken now.
func (t *timing) begin(p *span, firstAt, now time.Duration) {
	t.age.Record(now - firstAt)
	p.startAt, p.untimed = now, 0
}

// end records the end of what began with p. marks are when the first items of the
// batches came that were taken since, without a look at the clock, and of the one
// before them.
func (t *timing) end(p *span, now time.Duration, marks []time.Duration) {
	took := now - p.startAt
	if p.untimed > 0 {
		took = t.endUntimed(p, took, marks)
	}
	t.proc.Record(took)
	p.quick = took < quickBatch
}

// endUntimed records all but the last of the batches that were timed together and
// returns what remains for that: all took the same time, or, if that is not quick, one
// of them was slow and the others were quick.
func (t *timing) endUntimed(p *span, all time.Duration, marks []time.Duration) time.Duration {
	n := time.Duration(p.untimed)
	each := min(all/(n+1), quickBatch)
	for i := range n {
		t.proc.Record(each)
		t.age.Record(p.startAt + (i+1)*each - marks[i+1])
	}
	return all - n*each
}

// span is what a batch knows of its time in the processor.
type span struct {
	startAt time.Duration
	quick   bool // the last one that was timed was
	untimed int  // how many were begun since startAt, without a look at the clock
}

// next says whether the next batch of a run may go without a look at the clock.
func (p *span) next() bool { return p.quick && p.untimed < maxUntimed }
