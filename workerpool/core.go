package workerpool

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// core is the engine under Pool (T is a job) and FuncPool (T is the argument): the
// policies of a full queue, the life of a worker, and the end of it all. What a T is,
// its kind knows.
//
// Lock order: gate.mu before desk.mu before roll.mu, which is a leaf. No user function
// runs under any, no channel is waited for under them, and holders never sleep.
type core[T any] struct {
	cfg     Config
	kind    kind[T]
	clock   sampler
	clean   context.Context // has the pprof labels of workers between tasks
	search  search
	alert   atomic.Uint32 // rare conditions
	monitor *monitoring   // nil without Config.Monitor

	desk desk[T]

	yielders atomic.Int32 // submitters that yield at a full queue
	waiting  atomic.Int64 // submitters that wait for room, views' among them
	books    books
	reports  reports

	views views[T]

	// desk.mu guards these.
	weeding budget
	quiets  quiets
}

// kind says what core must know of the values that it runs.
type kind[T any] struct {
	run    func(*worker[T], T) // runs one; may panic or Goexit
	drop   func(T, error)      // ends one that will not run
	report func(T) DroppedTask // describes one that was dropped
	over   func(T) (ending, bool)
	bury   func(T) // ends one that over reported and that was taken out of its queue
}

// ending is how a task that does not run ended.
type ending uint8

const (
	canceled ending = iota // its ctx was done before it started
	timedOut               // its deadline had passed before it started
)

// Bits of core.alert.
const (
	alertExpired = 1 << iota // a Shutdown gave up: tasks with a ctx are cancelled
	alertCtx                 // tasks with a ctx have been submitted: queued ones may have ended
)

// sampler reads the clock for one ticket in mask+1. The clock is relative to the
// pool's creation, so it is virtual inside a testing/synctest bubble.
type sampler struct {
	base time.Time
	mask uint64
	on   bool
}

func (s *sampler) now() int64 { return int64(time.Since(s.base)) + 1 }

// sample returns the time for ticket t, or 0 where t is not to be measured.
func (s *sampler) sample(t uint64) int64 {
	if !s.on || t&s.mask != 0 {
		return 0
	}
	return s.now()
}

func newCore[T any](cfg Config, kind kind[T]) (*core[T], error) {
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	c := &core[T]{
		cfg: cfg, kind: kind,
		clean:   cleanLabels(cfg.Name),
		weeding: newBudget(),
	}
	c.reports = reports{name: cfg.Name, onPanic: cfg.OnPanic, onDrop: cfg.OnDrop, now: c.clock.now}
	c.search.spin = int64(cfg.Spin)
	c.clock = sampler{base: time.Now(), on: cfg.Timing != Off}
	if cfg.Timing == Sampled {
		c.clock.mask = sampleEvery - 1
	}
	if c.clock.on {
		c.books.wait, c.books.run = new(stats.Histogram), new(stats.Histogram)
	}
	c.desk.init(&cfg, &c.clock, func(w *worker[T]) { c.serve(w) })
	c.desk.crew.grow(cfg.MinWorkers)
	if cfg.Monitor != nil {
		c.monitor = startMonitor(cfg.Monitor, &c.reports, monitored{
			stats:   c.stats,
			scaleTo: c.desk.crew.scaleTo,
			stalled: func(after time.Duration) []StalledTask {
				return stalled(c.desk.crew.roll.running(), c.clock.now(), after)
			},
		})
	}
	return c, nil
}
