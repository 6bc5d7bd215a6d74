package observe

import (
	"fmt"
	"math"
)

// Advice is one recommendation about memory and garbage collection.
type Advice struct {
	Code string `json:"code"` // stable and short: "no-limit"
	What string `json:"what"` // what is seen, with figures
	Do   string `json:"do"`   // what to do about it
}

// Advise looks at the runtime as it is and as it did lately, and returns what
// should be changed. It returns nothing when there is nothing to say.
func Advise(now RuntimeStats, lately RuntimeWindow) []Advice {
	var list []Advice
	for _, rule := range adviceRules {
		if a, ok := rule(now, lately); ok {
			list = append(list, a)
		}
	}
	return list
}

var adviceRules = []func(RuntimeStats, RuntimeWindow) (Advice, bool){
	noLimit, limitAboveContainer, nearLimit, collectorOff, gcShare, assists, unreturned, forced,
}

func noLimit(s RuntimeStats, _ RuntimeWindow) (Advice, bool) {
	return Advice{
		"no-limit",
		fmt.Sprintf("GOMEMLIMIT is not set, and the container may have %s", mib(s.ContainerBytes)),
		fmt.Sprintf("set GOMEMLIMIT=%dMiB, 90 %% of it: the collector then works harder before the container is killed", s.ContainerBytes/10*9>>20),
	}, s.ContainerBytes > 0 && s.LimitBytes == 0
}

func limitAboveContainer(s RuntimeStats, _ RuntimeWindow) (Advice, bool) {
	return Advice{
		"limit-above-container",
		fmt.Sprintf("GOMEMLIMIT is %s, and the container may have %s", mib(s.LimitBytes), mib(s.ContainerBytes)),
		fmt.Sprintf("set GOMEMLIMIT=%dMiB: above the container's limit it does nothing before the container is killed", s.ContainerBytes/10*9>>20),
	}, s.ContainerBytes > 0 && s.LimitBytes > s.ContainerBytes/100*95
}

func nearLimit(s RuntimeStats, _ RuntimeWindow) (Advice, bool) {
	return Advice{
		"near-limit",
		fmt.Sprintf("%s of the %s of GOMEMLIMIT are in use after a collection", mib(s.HeapLiveBytes), mib(s.LimitBytes)),
		"give the program more memory, or look for what holds it in a heap profile: near the limit collections follow one another",
	}, s.LimitBytes > 0 && (s.GCLimited || s.HeapLiveBytes > s.LimitBytes/5*4)
}

func collectorOff(s RuntimeStats, _ RuntimeWindow) (Advice, bool) {
	return Advice{
		"collector-off",
		"GOGC is off and there is no GOMEMLIMIT: memory is never collected",
		"set GOMEMLIMIT, or turn GOGC on",
	}, s.GOGC < 0 && s.LimitBytes == 0
}

func gcShare(s RuntimeStats, w RuntimeWindow) (Advice, bool) {
	if _, near := nearLimit(s, w); near || w.GCShare <= 0.10 {
		return Advice{}, false
	}
	a := Advice{
		Code: "gc-share",
		What: fmt.Sprintf("garbage collection takes %s of the CPU; %s/s are allocated in %s objects/s",
			percent(w.GCShare), mib(int64(w.AllocatedPerSecond)), rounded(w.AllocationsPerSecond)),
	}
	switch {
	case s.GOGC < 0:
		a.Do = "raise GOMEMLIMIT, or allocate less: see the allocs profile"
	case s.LimitBytes > 0 && s.HeapGoalBytes < s.LimitBytes/2:
		a.Do = fmt.Sprintf("raise GOGC from %d to %d: GOMEMLIMIT guards against too much", s.GOGC, 2*s.GOGC)
	case s.LimitBytes > 0:
		a.Do = "raise GOMEMLIMIT, or allocate less: see the allocs profile"
	default:
		a.Do = fmt.Sprintf("raise GOGC from %d to %d, with GOMEMLIMIT as a guard, or allocate less: see the allocs profile", s.GOGC, 2*s.GOGC)
	}
	return a, true
}

func assists(_ RuntimeStats, w RuntimeWindow) (Advice, bool) {
	return Advice{
		"assists",
		fmt.Sprintf("goroutines that allocate spend %s of the CPU on helping the collector", percent(w.AssistShare)),
		"spread bursts of allocation, or reuse objects (objpool): they pay for it in their own latency",
	}, w.AssistShare > 0.05
}

func unreturned(s RuntimeStats, _ RuntimeWindow) (Advice, bool) {
	return Advice{
		"unused-memory",
		fmt.Sprintf("%s of %s are unused and not returned to the system", mib(s.UnusedBytes), mib(s.MappedBytes)),
		"lower GOMEMLIMIT if the memory is wanted elsewhere; after a peak that does not come again call debug.FreeOSMemory once",
	}, s.UnusedBytes > 256<<20 && s.UnusedBytes > s.MappedBytes/2
}

func forced(_ RuntimeStats, w RuntimeWindow) (Advice, bool) {
	return Advice{
		"forced-collections",
		fmt.Sprintf("the program calls runtime.GC %s times a minute", rounded(60*w.ForcedPerSecond)),
		"leave it to the collector: each call works through the whole heap",
	}, w.ForcedPerSecond > 1.0/60 && w.Elapsed.Minutes() >= 1 || w.ForcedPerSecond > 1
}

func mib(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	default:
		return fmt.Sprintf("%d KiB", n>>10)
	}
}

func percent(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) }

func rounded(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", math.Round(x))
	}
	return fmt.Sprintf("%.3g", x)
}
