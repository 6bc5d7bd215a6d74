package observe

import (
	"iter"
	"math"
	"runtime/metrics"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// RuntimeStats are figures of the Go runtime and of the container around it.
// Counters count since the program's start: [RuntimeStats.Since] makes rates and
// shares of two of them.
type RuntimeStats struct {
	Goroutines        int    `json:"goroutines"`         // goroutines that exist
	Runnable          int    `json:"runnable"`           // goroutines that wait for a CPU
	GoroutinesCreated uint64 `json:"goroutines_created"` // goroutines started so far
	Threads           int    `json:"threads"`            // threads of the operating system
	MaxProcs          int    `json:"gomaxprocs"`         // goroutines that may run at once

	HeapLiveBytes  int64  `json:"heap_live_bytes"`   // what the last garbage collection found in use
	HeapGoalBytes  int64  `json:"heap_goal_bytes"`   // heap size that the next collection aims at
	UnusedBytes    int64  `json:"heap_unused_bytes"` // heap memory that holds no objects and is not returned to the system
	MappedBytes    int64  `json:"memory_bytes"`      // memory that the runtime has from the system: what GOMEMLIMIT limits
	LimitBytes     int64  `json:"limit_bytes"`       // GOMEMLIMIT; 0: none
	ContainerBytes int64  `json:"container_bytes"`   // the memory limit of the cgroup; 0: none
	AllocatedBytes uint64 `json:"allocated_bytes"`   // bytes of heap objects allocated so far
	Allocations    uint64 `json:"allocations"`       // heap objects allocated so far

	GOGC      int    `json:"gogc"`       // percent; -1: off
	GCCycles  uint64 `json:"gc_cycles"`  // garbage collections that ended
	GCForced  uint64 `json:"gc_forced"`  // of these, those that the program asked for
	GCLimited bool   `json:"gc_limited"` // in one of the last two cycles the collector was held back, because it took half of the CPU

	CPUTime       time.Duration `json:"cpu_time_ns"`           // CPU time that was available, as of the last collection
	GCTime        time.Duration `json:"gc_cpu_time_ns"`        // of it, what garbage collection took
	AssistTime    time.Duration `json:"gc_assist_cpu_time_ns"` // of that, what goroutines spent that had to help because they allocate
	MutexWaitTime time.Duration `json:"mutex_wait_time_ns"`    // time that goroutines waited for sync.Mutex and RWMutex, about

	SchedWait Latency `json:"sched_wait"` // how long runnable goroutines waited for a CPU
	GCPause   Latency `json:"gc_pause"`   // stops of the world for garbage collection
}

// Runtime is a source of [RuntimeStats]. The zero value is ready, and safe for
// concurrent use. One for a program is enough:
//
//	observe.Add(&reg, "process", new(observe.Runtime))
type Runtime struct {
	once      sync.Once
	container int64 // of ContainerMemory

	mu       sync.Mutex
	samples  []metrics.Sample
	buckets  map[string][]uint64 // counts of a histogram as of the last reading
	sched    Histogram
	gcPauses Histogram
}

// The metrics that are read. One that this version of Go does not have reads as 0.
const (
	mGoroutines = "/sched/goroutines:goroutines"
	mRunnable   = "/sched/goroutines/runnable:goroutines"
	mCreated    = "/sched/goroutines-created:goroutines"
	mThreads    = "/sched/threads/total:threads"
	mMaxProcs   = "/sched/gomaxprocs:threads"
	mLive       = "/gc/heap/live:bytes"
	mGoal       = "/gc/heap/goal:bytes"
	mFree       = "/memory/classes/heap/free:bytes"
	mUnused     = "/memory/classes/heap/unused:bytes"
	mTotal      = "/memory/classes/total:bytes"
	mReleased   = "/memory/classes/heap/released:bytes"
	mLimit      = "/gc/gomemlimit:bytes"
	mAllocBytes = "/gc/heap/allocs:bytes"
	mAllocs     = "/gc/heap/allocs:objects"
	mGOGC       = "/gc/gogc:percent"
	mCycles     = "/gc/cycles/total:gc-cycles"
	mForced     = "/gc/cycles/forced:gc-cycles"
	mLimiter    = "/gc/limiter/last-enabled:gc-cycle"
	mCPU        = "/cpu/classes/total:cpu-seconds"
	mGCCPU      = "/cpu/classes/gc/total:cpu-seconds"
	mAssist     = "/cpu/classes/gc/mark/assist:cpu-seconds"
	mMutex      = "/sync/mutex/wait/total:seconds"
	mSched      = "/sched/latencies:seconds"
	mPauses     = "/sched/pauses/total/gc:seconds"
)

var runtimeMetrics = []string{
	mGoroutines, mRunnable, mCreated, mThreads, mMaxProcs, mLive, mGoal, mFree, mUnused, mTotal, mReleased, mLimit,
	mAllocBytes, mAllocs, mGOGC, mCycles, mForced, mLimiter, mCPU, mGCCPU, mAssist, mMutex, mSched, mPauses,
}

// Stats reads the figures, which takes 5 to 30 µs.
func (r *Runtime) Stats() RuntimeStats {
	r.once.Do(func() { r.container = ContainerMemory() })
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read()
	u := func(name string) uint64 { return r.number(name) }
	d := func(name string) time.Duration { return time.Duration(r.float(name) * 1e9) }
	s := RuntimeStats{
		Goroutines: int(u(mGoroutines)), Runnable: int(u(mRunnable)), GoroutinesCreated: u(mCreated),
		Threads: int(u(mThreads)), MaxProcs: int(u(mMaxProcs)),
		HeapLiveBytes: int64(u(mLive)), HeapGoalBytes: int64(u(mGoal)), UnusedBytes: int64(u(mFree) + u(mUnused)),
		MappedBytes: int64(u(mTotal) - u(mReleased)), ContainerBytes: r.container,
		AllocatedBytes: u(mAllocBytes), Allocations: u(mAllocs),
		GCCycles: u(mCycles), GCForced: u(mForced),
		CPUTime: d(mCPU), GCTime: d(mGCCPU), AssistTime: d(mAssist), MutexWaitTime: d(mMutex),
		SchedWait: r.sched.Latency(), GCPause: r.gcPauses.Latency(),
	}
	if limit := u(mLimit); limit < math.MaxInt64 {
		s.LimitBytes = int64(limit)
	}
	if s.GOGC = int(u(mGOGC)); u(mGOGC) > math.MaxInt32 {
		s.GOGC = -1
	}
	s.GCLimited = heldBack(u(mLimiter), s.GCCycles)
	return s
}

// heldBack says whether the collector's limiter was enabled in one of the last two of so many
// cycles, or in the one that is going on: the runtime counts a cycle that has not ended. A
// reading a second later may have missed the cycle itself.
func heldBack(enabled, cycles uint64) bool { return enabled > 0 && enabled+1 >= cycles }

// Histograms yields the distributions of SchedWait and GCPause, as of the last
// Stats.
func (r *Runtime) Histograms() iter.Seq2[string, func(*Snapshot)] {
	return func(yield func(string, func(*Snapshot)) bool) {
		_ = yield("sched_wait", r.sched.AddTo) && yield("gc_pause", r.gcPauses.AddTo)
	}
}

// read fetches all metrics. The caller holds mu.
func (r *Runtime) read() {
	if r.samples == nil {
		r.samples = make([]metrics.Sample, len(runtimeMetrics))
		for i, name := range runtimeMetrics {
			r.samples[i].Name = name
		}
		r.buckets = map[string][]uint64{}
	}
	metrics.Read(r.samples)
	r.follow(mSched, &r.sched)
	r.follow(mPauses, &r.gcPauses)
}

func (r *Runtime) value(name string) metrics.Value {
	for i := range r.samples {
		if r.samples[i].Name == name {
			return r.samples[i].Value
		}
	}
	return metrics.Value{}
}

func (r *Runtime) number(name string) uint64 {
	if v := r.value(name); v.Kind() == metrics.KindUint64 {
		return v.Uint64()
	}
	return 0
}

func (r *Runtime) float(name string) float64 {
	if v := r.value(name); v.Kind() == metrics.KindFloat64 {
		return v.Float64()
	}
	return 0
}

// follow records in h what the runtime's histogram counted since the last reading.
func (r *Runtime) follow(name string, h *Histogram) {
	v := r.value(name)
	if v.Kind() != metrics.KindFloat64Histogram {
		return
	}
	from := v.Float64Histogram()
	last := r.buckets[name]
	if last == nil {
		last = make([]uint64, len(from.Counts))
		r.buckets[name] = last
	}
	for i, n := range from.Counts {
		if n > last[i] {
			h.RecordN(middle(from.Buckets[i], from.Buckets[i+1]), n-last[i])
			last[i] = n
		}
	}
}

// middle returns what stands for a bucket from low to high, in seconds; either may
// be infinite.
func middle(low, high float64) time.Duration {
	switch {
	case math.IsInf(low, -1):
		low = high
	case math.IsInf(high, 1):
		high = low
	}
	return time.Duration(max((low+high)/2, 0) * 1e9)
}

// RuntimeWindow is what happened between two readings of the runtime.
type RuntimeWindow struct {
	Elapsed              time.Duration // between the readings
	GCShare              float64       // share of the available CPU time that collections took, 0..1
	AssistShare          float64       // share of it that allocating goroutines spent on helping, 0..1
	GCPerSecond          float64       // collections per second
	ForcedPerSecond      float64       // collections per second that the program asked for
	AllocatedPerSecond   float64       // bytes allocated per second
	AllocationsPerSecond float64       // objects allocated per second
	MutexWaiting         float64       // goroutines that waited for a mutex, on average
}

// Since returns what happened since an earlier reading, elapsed ago. The runtime adds
// up CPU time when a collection ends: without one between the readings the shares
// are 0.
func (s RuntimeStats) Since(earlier RuntimeStats, elapsed time.Duration) RuntimeWindow {
	w := RuntimeWindow{Elapsed: elapsed}
	if cpu := s.CPUTime - earlier.CPUTime; cpu > 0 {
		w.GCShare = clamp(float64(s.GCTime-earlier.GCTime) / float64(cpu))
		w.AssistShare = clamp(float64(s.AssistTime-earlier.AssistTime) / float64(cpu))
	}
	w.GCPerSecond = stats.Rate(earlier.GCCycles, s.GCCycles, elapsed)
	w.ForcedPerSecond = stats.Rate(earlier.GCForced, s.GCForced, elapsed)
	w.AllocatedPerSecond = stats.Rate(earlier.AllocatedBytes, s.AllocatedBytes, elapsed)
	w.AllocationsPerSecond = stats.Rate(earlier.Allocations, s.Allocations, elapsed)
	if elapsed > 0 {
		w.MutexWaiting = max((s.MutexWaitTime-earlier.MutexWaitTime).Seconds()/elapsed.Seconds(), 0)
	}
	return w
}

func clamp(x float64) float64 { return min(max(x, 0), 1) }
