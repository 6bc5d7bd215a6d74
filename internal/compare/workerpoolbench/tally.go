package workerpoolbench

import (
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// patience is how long a case waits without any task running before it calls the
// rest lost.
var patience = 10 * time.Second

// tally counts the tasks that ran.
type tally struct{ *stats.Counter }

func newTally() tally { return tally{stats.NewCounter()} }

// task returns a task that does the work, if any, and counts itself.
func (t tally) task(work func()) func() {
	if work == nil {
		return func() { t.Add(1) }
	}
	return func() { work(); t.Add(1) }
}

// wait returns when want tasks have run in all. It polls: a task that had to
// signal the end would make every task pay for a shared counter.
func (t tally) wait(b *testing.B, want int) {
	b.Helper()
	since, last := time.Now(), uint64(0)
	for {
		n := t.Load()
		if n >= uint64(want) {
			return
		}
		if n != last {
			since, last = time.Now(), n
		}
		if time.Since(since) > patience {
			b.Fatalf("%d of %d tasks ran", n, want)
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// check fails the case unless want tasks ran. It is called after the pool has
// been closed, when no more can come.
func (t tally) check(b *testing.B, want int) {
	b.Helper()
	if n := t.Load(); n != uint64(want) {
		b.Fatalf("%d tasks ran, %d were submitted", n, want)
	}
}

// must fails the case when a pool refuses a task. It may be called from any
// goroutine, so it cannot end the benchmark's: the count does that.
func must(b *testing.B, err error) {
	if err != nil {
		b.Errorf("refused a task: %v", err)
	}
}
