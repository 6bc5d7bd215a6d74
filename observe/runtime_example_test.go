package observe_test

import (
	"fmt"
	"time"

	"github.com/poundlock/poundlock/observe"
)

// Two readings ten seconds apart, of a program that does nothing but collect.
func ExampleAdvise() {
	earlier := observe.RuntimeStats{GOGC: 100, CPUTime: 100 * time.Second, GCTime: 20 * time.Second}
	now := observe.RuntimeStats{
		GOGC: 100, CPUTime: 120 * time.Second, GCTime: 28 * time.Second,
		AllocatedBytes: 5 << 30, Allocations: 40e6,
	}
	for _, a := range observe.Advise(now, now.Since(earlier, 10*time.Second)) {
		fmt.Println(a.What)
		fmt.Println(a.Do)
	}
	// Output:
	// garbage collection takes 40 % of the CPU; 512 MiB/s are allocated in 4000000 objects/s
	// raise GOGC from 100 to 200, with GOMEMLIMIT as a guard, or allocate less: see the allocs profile
}

func ExampleTrend() {
	leak, saw := observe.Trend{Points: 40}, observe.Trend{Points: 40}
	for i := range 40 {
		leak.Add(float64(100 + 3*i))
		saw.Add(float64(100 + i%10))
	}
	fmt.Println(leak.Growth())
	_, _, steady := saw.Growth()
	fmt.Println(steady)
	// Output:
	// 113.5 203.5 true
	// false
}

// A batch job may use more memory and collect less.
func ExampleRuntimeSettings_Apply() {
	restore := observe.RuntimeSettings{GOGC: 400, MemoryLimit: 8 << 30}.Apply()
	defer restore()
	fmt.Println(new(observe.Runtime).Stats().GOGC)
	// Output: 400
}
