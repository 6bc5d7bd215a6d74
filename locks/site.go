package locks

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"math/bits"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/poundlock/poundlock/internal/stats"
)

// sites holds the sampled waits of all locks, by call stack and lock name. It is
// touched only by samples and by WriteContention.
var sites struct {
	mu sync.Mutex
	m  map[siteKey]*site
}

const (
	siteDepth = 8    // frames kept of a stack
	maxSites  = 4096 // different ones kept; more are counted as "(others)"
)

type siteKey struct {
	name string
	pcs  [siteDepth]uintptr
}

type site struct {
	samples uint64
	scale   uint64 // waits that the samples stand for
	total   time.Duration
	max     time.Duration
}

// waited records a wait that ended, with the lock or without.
//
//go:norace
func (x *rwExt) waited(w *waiter, h *stats.Histogram) {
	d := time.Since(w.start)
	h.Record(d)
	if o := x.opts.Load(); o != nil && o.SiteSampling > 0 {
		if every := uint64(o.SiteSampling); x.parks.Add(1)%every == 0 {
			raceEnable() // sites is not of the lock: its mutex must count
			recordSite(o.Name, every, d)
			raceDisable()
		}
	}
}

// recordSite adds one sample that stands for scale waits.
func recordSite(name string, scale uint64, d time.Duration) {
	k := siteKey{name: name}
	runtime.Callers(3, k.pcs[:])
	sites.mu.Lock()
	defer sites.mu.Unlock()
	if sites.m == nil {
		sites.m = make(map[siteKey]*site)
	}
	s := sites.m[k]
	if s == nil {
		if len(sites.m) >= maxSites {
			k = siteKey{name: "(others)"}
		}
		if s = sites.m[k]; s == nil {
			s = new(site)
			sites.m[k] = s
		}
	}
	s.add(scale, d)
}

// add counts one wait that took d and stands for scale. Sums that would overflow
// stay at the largest value.
func (s *site) add(scale uint64, d time.Duration) {
	s.samples++
	if s.scale += scale; s.scale < scale {
		s.scale = math.MaxUint64
	}
	over, total := bits.Mul64(uint64(max(d, 0)), scale)
	if room := uint64(math.MaxInt64 - s.total); over > 0 || total > room {
		total = room
	}
	s.total += time.Duration(total)
	s.max = max(s.max, d)
}

// WriteContention writes a table of where goroutines slept for locks that have
// opted in with [RWOptions.SiteSampling], the most waited for first: the waiting
// time and the number of waits that the samples stand for, the longest sampled
// wait, the lock's name and the calls that led to it. It returns w's error.
func WriteContention(w io.Writer) error {
	type row struct {
		siteKey
		site
	}
	var rows []row
	sites.mu.Lock()
	for k, s := range sites.m {
		rows = append(rows, row{k, *s})
	}
	sites.mu.Unlock()
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.name, b.name), slices.Compare(a.pcs[:], b.pcs[:]))
	})

	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(tw, "WAITED\tWAITS\tSAMPLES\tMAX\tLOCK\tCALLED FROM\n")
	for _, r := range rows {
		calls := calls(r.pcs[:])
		fmt.Fprintf(tw, "%v\t%d\t%d\t%v\t%s\t%s\n", r.total.Round(time.Microsecond), r.scale, r.samples,
			r.max.Round(time.Microsecond), cmp.Or(r.name, "-"), calls[0])
		for _, c := range calls[1:] {
			fmt.Fprintf(tw, "\t\t\t\t\t%s\n", c)
		}
	}
	return tw.Flush()
}

// calls names the frames of a stack, the caller of the lock first; at least one.
func calls(pcs []uintptr) []string {
	var calls []string
	n := slices.Index(pcs, 0)
	if n < 0 {
		n = len(pcs)
	}
	frames := runtime.CallersFrames(pcs[:n])
	for {
		f, more := frames.Next()
		// The lock's own methods are inlined or not: leave them out by name.
		own := ownFrame.MatchString(f.Function)
		if f.Function != "" && (len(calls) > 0 || !own) {
			calls = append(calls, fmt.Sprintf("%s %s:%d", f.Function, f.File, f.Line))
		}
		if !more {
			break
		}
	}
	if len(calls) == 0 {
		return []string{"-"}
	}
	return calls
}

var ownFrame = regexp.MustCompile(`/locks\.(\(\*(RWMutex|SpinMutex|Keyed\[.*\]|rlocker|rwExt)\)|lockContext|debug)`)

// ResetContention forgets what [WriteContention] would write.
func ResetContention() {
	sites.mu.Lock()
	sites.m = nil
	sites.mu.Unlock()
}
