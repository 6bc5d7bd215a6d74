package observe

import (
	"fmt"
	"strings"
	"time"
)

// Leak is steady growth of something that a program should not keep on collecting.
type Leak struct {
	What  string        `json:"what"`    // "goroutines", "heap" or "memory"
	From  float64       `json:"from"`    // what there was at first: goroutines or bytes
	To    float64       `json:"to"`      // what there is
	Over  time.Duration `json:"over_ns"` // how long it took to grow so
	Sites []Site        `json:"sites"`   // where most of it comes from; none for memory
}

// Site is a place in the program's source.
type Site struct {
	Where string `json:"where"` // function and file:line
	Grown int64  `json:"grown"` // goroutines or bytes more than at first; of bytes an estimate
}

// String says it in a line: "goroutines grew from 120 to 480 in 10m0s: main.serve
// (serve.go:40) +350".
func (l Leak) String() string {
	var b strings.Builder
	from, to := fmt.Sprint(int64(l.From)), fmt.Sprint(int64(l.To))
	if l.What != "goroutines" {
		from, to = mib(int64(l.From)), mib(int64(l.To))
	}
	fmt.Fprintf(&b, "%s grew from %s to %s in %v", l.What, from, to, l.Over.Round(time.Second))
	for i, s := range l.Sites {
		sep, grown := ", ", fmt.Sprint(s.Grown)
		if i == 0 {
			sep = ": "
		}
		if l.What != "goroutines" {
			grown = mib(s.Grown)
		}
		fmt.Fprintf(&b, "%s%s +%s", sep, s.Where, grown)
	}
	return b.String()
}

// LeakWatch finds leaks in successive readings of the runtime: of goroutines, of the
// live heap, and of the memory that the system gave beyond it. The zero value looks at
// 60 readings 10 s apart. It is not safe for concurrent use.
type LeakWatch struct {
	Every     time.Duration // time between two points; readings in between are ignored. 0: 10 s
	Points    int           // points of a trend. 0: 60
	MinGrowth float64       // growth that matters, as a share of what there was. 0: 0.2; negative: any

	last      time.Time
	lastCycle uint64
	series    [3]growing
}

// growing follows one quantity.
type growing struct {
	trend Trend
	since time.Time        // of the first point
	sites map[string]int64 // at that time; nil where there are none
}

// smallest is the growth that nobody has to hear of, whatever its share: 100
// goroutines, 16 MiB.
var leakKinds = [3]struct {
	what     string
	smallest float64
	sites    func() map[string]int64
}{
	{"goroutines", 100, goroutineSites},
	{"heap", 16 << 20, heapSites},
	{"memory", 16 << 20, nil},
}

// Observe adds a reading and returns the leaks that are known with it. A leak that goes
// on is returned again after as many points. At the first and the last point of a series
// Observe looks for the sites, which stops the world for 1 to 10 µs per goroutine;
// it does not for more than 10,000 goroutines.
func (w *LeakWatch) Observe(s RuntimeStats, now time.Time) []Leak {
	if !w.last.IsZero() && now.Sub(w.last) < w.every() {
		return nil
	}
	w.last = now
	collected := s.GCCycles != w.lastCycle // the live heap is known after a collection only
	w.lastCycle = s.GCCycles
	var leaks []Leak
	for i, v := range [3]float64{float64(s.Goroutines), float64(s.HeapLiveBytes), float64(s.MappedBytes - s.HeapLiveBytes)} {
		if i == 1 && !collected {
			continue
		}
		if l, ok := w.add(i, v, now); ok {
			leaks = append(leaks, l)
		}
	}
	return leaks
}

func (w *LeakWatch) every() time.Duration {
	if w.Every <= 0 {
		return 10 * time.Second
	}
	return w.Every
}

func (w *LeakWatch) add(i int, v float64, now time.Time) (Leak, bool) {
	g, kind := &w.series[i], leakKinds[i]
	if g.since.IsZero() {
		g.begin(now, kind.sites)
	}
	g.trend.Points = w.Points
	g.trend.Add(v)
	from, to, steady := g.trend.Growth()
	least := w.MinGrowth
	if least == 0 {
		least = 0.2
	}
	if !steady || to-from < max(least*from, kind.smallest) {
		return Leak{}, false
	}
	l := Leak{What: kind.what, From: from, To: to, Over: now.Sub(g.since)}
	if g.trend.next > 0 { // older points are gone
		l.Over = min(l.Over, time.Duration(len(g.trend.ring))*w.every())
	}
	before := g.sites
	g.trend.Reset()
	g.begin(now, kind.sites)
	l.Sites = grown(before, g.sites)
	return l, true
}

func (g *growing) begin(now time.Time, sites func() map[string]int64) {
	g.since = now
	if sites != nil {
		g.sites = sites()
	}
}
