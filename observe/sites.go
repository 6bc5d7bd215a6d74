package observe

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
)

// mostStacks bounds the text of all goroutines' stacks. Those beyond it are not
// counted.
const mostStacks = 8 << 20

// goroutineSites counts the goroutines by the place where they were started.
func goroutineSites() map[string]int64 {
	if runtime.NumGoroutine() > 10_000 {
		return map[string]int64{}
	}
	for size := 64 << 10; ; size *= 4 {
		buf := make([]byte, min(size, mostStacks))
		n := runtime.Stack(buf, true)
		if n < len(buf) || len(buf) == mostStacks {
			return createdBy(buf[:n])
		}
	}
}

// createdBy counts the "created by" lines of a dump of stacks.
func createdBy(dump []byte) map[string]int64 {
	sites := map[string]int64{}
	for stack := range bytes.SplitSeq(dump, []byte("\n\n")) {
		_, by, ok := bytes.Cut(stack, []byte("\ncreated by "))
		if !ok {
			continue
		}
		fn, at, ok := strings.Cut(string(by), "\n\t")
		if !ok {
			continue
		}
		fn, _, _ = strings.Cut(fn, " in goroutine ")
		at, _, _ = strings.Cut(at, " +0x")
		sites[fmt.Sprintf("%s (%s)", fn, path.Base(at))]++
	}
	return sites
}

// heapSites returns the bytes in use by the place that allocated them, as far as the
// runtime samples them: one allocation per 512 KiB.
func heapSites() map[string]int64 {
	var records []runtime.MemProfileRecord
	n, ok := runtime.MemProfile(nil, false)
	for !ok {
		records = make([]runtime.MemProfileRecord, n+50) // there may be more by the next call
		n, ok = runtime.MemProfile(records, false)
	}
	records = records[:n]
	sites := map[string]int64{}
	for i := range records {
		if at := allocatedAt(records[i].Stack()); at != "" {
			sites[at] += records[i].InUseBytes()
		}
	}
	return sites
}

// allocatedAt returns the innermost place outside the runtime.
func allocatedAt(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s (%s:%d)", f.Function, path.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

// mostSites is how many a leak names.
const mostSites = 5

// grown returns the sites that grew, the largest growth first.
func grown(before, after map[string]int64) []Site {
	var sites []Site
	for where, n := range after {
		if n > before[where] {
			sites = append(sites, Site{where, n - before[where]})
		}
	}
	slices.SortFunc(sites, func(a, b Site) int {
		return cmp.Or(cmp.Compare(b.Grown, a.Grown), cmp.Compare(a.Where, b.Where))
	})
	return sites[:min(len(sites), mostSites)]
}
