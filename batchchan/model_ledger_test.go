package batchchan_test

import (
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/batchchan"
)

// The property of the package, under random configurations, operations,
// cancellations, failures and a concurrent Close or Shutdown: every item whose
// send returned nil comes out exactly once (processed, dropped with a reason, or
// handed back), every other not at all; each producer's items in order; caps and
// bounds never exceeded.

type tag struct{ from, n int }

type ledger struct {
	mu       sync.Mutex
	t        *rapid.T
	accepted map[tag]bool
	out      map[tag]string
	last     map[int]int // per sender, where order is promised
	ordered  bool
	running  int
}

func (l *ledger) come(how string, items ...tag) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range items {
		if was, twice := l.out[it]; twice {
			l.t.Errorf("%v came out twice: %s, then %s", it, was, how)
		}
		l.out[it] = how
		if last, ok := l.last[it.from]; ok && l.ordered && how == "processed" && last >= it.n {
			l.t.Errorf("sender %d: %d after %d", it.from, it.n, last)
		}
		if how == "processed" {
			l.last[it.from] = it.n
		}
	}
}

func (l *ledger) accept(items ...tag) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range items {
		l.accepted[it] = true
	}
}

// check compares what was accepted with what came out.
func (l *ledger) check() {
	for it := range l.accepted {
		if _, ok := l.out[it]; !ok {
			l.t.Errorf("%v was accepted and lost", it)
		}
	}
	for it, how := range l.out {
		if !l.accepted[it] {
			l.t.Errorf("%v was refused and yet %s", it, how)
		}
	}
}

func newLedger(t *rapid.T) *ledger {
	return &ledger{t: t, accepted: map[tag]bool{}, out: map[tag]string{}, last: map[int]int{}}
}

func size(it tag) int { return it.n%5 + 1 }

func drawConfig(t *rapid.T) batchchan.Config[tag] {
	cfg := batchchan.Config[tag]{
		MaxBatch:   rapid.IntRange(1, 12).Draw(t, "MaxBatch"),
		MaxPending: rapid.IntRange(1, 40).Draw(t, "MaxPending"),
		Workers:    rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "Workers"),
		Overflow:   rapid.SampledFrom([]batchchan.Overflow{batchchan.Block, batchchan.Block, batchchan.Reject, batchchan.DropNewest, batchchan.DropOldest, batchchan.CallerRuns}).Draw(t, "Overflow"),
		Linger:     rapid.SampledFrom([]time.Duration{0, -1, time.Microsecond, time.Millisecond}).Draw(t, "Linger"),
		Shards:     rapid.SampledFrom([]int{0, 0, 2}).Draw(t, "Shards"),

		DetachBatches: rapid.IntRange(0, 3).Draw(t, "Detach") == 0,
	}
	if rapid.IntRange(0, 2).Draw(t, "bytes") == 0 {
		cfg.SizeOf = size
		cfg.MaxBytes = rapid.IntRange(5, 30).Draw(t, "MaxBytes")
		cfg.MaxPendingBytes = rapid.IntRange(0, 1).Draw(t, "limit") * rapid.IntRange(5, 60).Draw(t, "MaxPendingBytes")
	}
	if cfg.Linger > 0 {
		cfg.PreciseLinger = rapid.Bool().Draw(t, "Precise")
	}
	return cfg
}
