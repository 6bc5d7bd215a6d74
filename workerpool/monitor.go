package workerpool

import (
	"cmp"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Monitor makes a pool report on itself at a fixed interval. Its functions run
// one after the other on a goroutine of the pool that exists only while they run;
// a pool without a Monitor has none. They may call the pool's methods except
// those that wait for its end (Close, Shutdown); a panic in one is logged and
// ends that sample.
type Monitor struct {
	// Interval is the time between samples, at least 1 ms. 0 means 1 s.
	Interval time.Duration

	// OnSample gets the pool's Stats of each sample.
	OnSample func(Stats)

	// Scale returns how many workers the pool should have at least, from the
	// Stats of this sample and those of the one before (zero at first); the
	// answer is limited to the configured MinWorkers..MaxWorkers and takes the
	// place of MinWorkers until the next sample. It makes the pool grow ahead of
	// demand and keep workers through short lulls; growth on demand and idle
	// shrink go on as ever. See [ScaleByBacklog].
	Scale func(now, before Stats) int

	// StallAfter makes a task that runs longer a stall; 0 switches stall reports
	// off. They cost every task of the pool a clock read and a lock pair, about
	// 60 ns.
	StallAfter time.Duration

	// OnStall gets a report for every sample in which a task became stalled.
	OnStall func(StallReport)
}

// StallReport lists the tasks that have run for longer than Monitor.StallAfter on workers
// of the pool: not those that CallerRuns runs in their submitters.
type StallReport struct {
	Pool  string        // Config.Name
	Tasks []StalledTask // longest running first
	Stats Stats         // of the pool, at that moment
}

// StalledTask is a task that runs for a long time.
type StalledTask struct {
	Label   string        // the task's label, or else the name of its function
	Running time.Duration // for how long
	New     bool          // it was in no report before
}

const (
	defaultInterval = time.Second
	minInterval     = time.Millisecond
)

func (m *Monitor) check() error {
	if m.Interval < 0 || m.Interval > 0 && m.Interval < minInterval {
		return fmt.Errorf("workerpool: Monitor.Interval %v is below %v", m.Interval, minInterval)
	}
	if m.StallAfter < 0 {
		return fmt.Errorf("workerpool: Monitor.StallAfter %v is negative", m.StallAfter)
	}
	return nil
}

// ScaleByBacklog returns a Scale that asks for enough workers to run what is
// queued and active now, with headroom spare ones, and lets go of at most a
// quarter of them per sample.
func ScaleByBacklog(headroom int) func(now, before Stats) int {
	return func(now, before Stats) int {
		want := now.Active + now.Queued + headroom
		return max(want, before.Workers*3/4)
	}
}

// monitored is what a monitor needs of a pool.
type monitored struct {
	stats   func() Stats
	scaleTo func(n int)
	stalled func(after time.Duration) []StalledTask // those that have run for longer
}

// monitoring runs a Monitor by a timer that is set anew after each sample.
type monitoring struct {
	m       Monitor
	pool    monitored
	reports *reports

	mu     sync.Mutex
	timer  *time.Timer
	over   bool          // guarded by mu
	idle   chan struct{} // guarded by mu; closed when a running sample ends, nil between samples
	before Stats         // owned by the running sample
}

func startMonitor(m *Monitor, reports *reports, pool monitored) *monitoring {
	r := &monitoring{m: *m, pool: pool, reports: reports}
	if r.m.Interval == 0 {
		r.m.Interval = defaultInterval
	}
	r.mu.Lock()
	r.timer = time.AfterFunc(r.m.Interval, r.sample)
	r.mu.Unlock()
	return r
}

// stop ends the sampling and waits for a sample that runs, until giveUp is closed; it
// reports whether none runs any more. A nil monitoring is stopped.
func (r *monitoring) stop(giveUp <-chan struct{}) bool {
	if r == nil {
		return true
	}
	r.mu.Lock()
	r.over = true
	r.timer.Stop()
	idle := r.idle
	r.mu.Unlock()
	if idle == nil {
		return true
	}
	select {
	case <-idle:
		return true
	case <-giveUp:
	}
	select {
	case <-idle:
		return true
	default:
		return false
	}
}

func (r *monitoring) sample() {
	r.mu.Lock()
	if r.over {
		r.mu.Unlock()
		return
	}
	r.idle = make(chan struct{})
	r.mu.Unlock()
	defer func() { // after a Goexit too
		r.mu.Lock()
		close(r.idle)
		r.idle = nil
		if !r.over {
			r.timer.Reset(r.m.Interval)
		}
		r.mu.Unlock()
	}()
	r.reports.callback("Monitor", r.report)
}

// report calls the functions of one sample.
func (r *monitoring) report() {
	st := r.pool.stats()
	before := r.before
	r.before = st
	if r.m.OnSample != nil {
		r.m.OnSample(st)
	}
	if r.m.Scale != nil {
		r.pool.scaleTo(r.m.Scale(st, before))
	}
	if r.m.StallAfter > 0 && r.m.OnStall != nil {
		tasks := r.pool.stalled(r.m.StallAfter)
		if slices.ContainsFunc(tasks, func(t StalledTask) bool { return t.New }) {
			r.m.OnStall(StallReport{Pool: st.Name, Tasks: tasks, Stats: st})
		}
	}
}

// stalled lists those of rs whose task has run at the time now for longer than after.
func stalled(rs []*running, now int64, after time.Duration) (tasks []StalledTask) {
	for _, r := range rs {
		r.mu.Lock()
		if d := time.Duration(now - r.since); r.task != nil && d >= after {
			tasks = append(tasks, StalledTask{Label: taskName(r.task), Running: d, New: !r.told})
			r.told = true
		}
		r.mu.Unlock()
	}
	slices.SortFunc(tasks, func(a, b StalledTask) int { return cmp.Compare(b.Running, a.Running) })
	return tasks
}

// taskName names a task for a person.
func taskName(task any) string {
	switch t := task.(type) {
	case *taskCore:
		if t.label != "" {
			return t.label
		}
		return "task with ctx"
	case *viewJob:
		return taskName(t.j)
	}
	if v := reflect.ValueOf(task); v.Kind() == reflect.Func {
		return runtime.FuncForPC(v.Pointer()).Name()
	}
	return fmt.Sprintf("%T", task)
}
