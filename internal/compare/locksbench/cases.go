package locksbench

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/internal/compare/work"
)

// Peer is another library's lock. Each function is nil where it has none of that
// kind; see mixSync, spinSync and keyedMap for their form.
type Peer struct {
	Name   string
	Config string

	RW    func(b *testing.B, m *Mix)      // a read/write lock
	Alone func(b *testing.B)              // its uncontended read lock: lock and unlock b.N times
	Keyed func(b *testing.B, m *KeyedMix) // locks by key
}

// The implementations of the root module.
const (
	poundlock = "poundlock"
	syncRW    = "sync.RWMutex"
	syncMutex = "sync.Mutex"
	antsLock  = "ants-algorithm"
	mapMutex  = "map+RWMutex"
	floor     = "floor"
)

// Cases returns every comparison. The peers are measured where they have a lock
// of the kind, after the root module's own implementations.
func Cases(peers ...Peer) []compare.Case {
	work.StepsPerMicrosecond() // once, before the processes that measure are started
	return slices.Concat(alone(peers), mixed(peers), spins(), waits(), keyed(peers))
}

func newCase(name, doc string, cpus []int, baselines []string, impls []compare.Impl) compare.Case {
	baselines = slices.DeleteFunc(slices.Clone(baselines), func(b string) bool {
		return !slices.ContainsFunc(impls, func(i compare.Impl) bool { return i.Name == b })
	})
	return compare.Case{Group: "locks", Name: name, Doc: doc, CPUs: cpus, Baselines: baselines, Impls: impls}
}

func alone(peers []Peer) []compare.Case {
	reads := []compare.Impl{
		{Name: poundlock, Config: "RWMutex", Bench: readPoundlock},
		{Name: syncRW, Bench: readSync},
	}
	for _, p := range peers {
		if p.Alone != nil {
			reads = append(reads, compare.Impl{Name: p.Name, Config: p.Config, Bench: p.Alone})
		}
	}
	cases := []compare.Case{
		newCase("uncontended/op=read", "One op is RLock and RUnlock by the only goroutine.", nil, []string{syncRW}, reads),
		newCase("uncontended/op=write", "One op is Lock and Unlock by the only goroutine.", nil, []string{syncRW}, []compare.Impl{
			{Name: poundlock, Config: "RWMutex", Bench: writePoundlock},
			{Name: syncRW, Bench: writeSync},
		}),
		newCase("uncontended/op=spin", "One op is Lock and Unlock by the only goroutine.", nil, []string{syncMutex}, []compare.Impl{
			{Name: poundlock, Config: "SpinMutex", Bench: spinAlonePoundlock},
			{Name: syncMutex, Bench: spinAloneSync},
			{Name: antsLock, Bench: spinAloneAnts},
		}),
	}
	for i := range cases {
		cases[i].Quick = true
	}
	return cases
}

// mixed is the matrix of writes, sections and Ps.
func mixed(peers []Peer) []compare.Case {
	var cases []compare.Case
	add := func(perMille int, section time.Duration, perP int, cpus []int, quick bool) {
		impl := func(name, config string, run func(*testing.B, *Mix)) compare.Impl {
			return compare.Impl{Name: name, Config: config, Bench: func(b *testing.B) {
				run(b, &Mix{PerMille: perMille, Section: section, Goroutines: perP})
			}}
		}
		impls := []compare.Impl{
			impl(poundlock, "RWMutex", mixPoundlock),
			impl(syncRW, "", mixSync),
			impl(syncMutex, "readers exclude each other", mixMutex),
		}
		if perMille == 0 {
			impls = append(impls, impl(floor, "no lock: what nothing can be faster than", mixFloor))
		}
		baselines := []string{syncRW}
		for _, p := range peers {
			if p.RW != nil {
				impls = append(impls, impl(p.Name, p.Config, p.RW))
				baselines = append(baselines, p.Name)
			}
		}
		name := fmt.Sprintf("mixed/writes=%s/section=%v", percent(perMille), section)
		if perP > 1 {
			name = fmt.Sprintf("many/writes=%s/section=%v/goroutines-per-p=%d", percent(perMille), section, perP)
		}
		c := newCase(name, "One op is a read or a write of data that a lock guards, by a goroutine per P.", cpus, baselines, impls)
		c.Quick = quick
		cases = append(cases, c)
	}
	for _, perMille := range []int{0, 1, 10, 100, 500, 1000} {
		for _, section := range []time.Duration{0, 50, 200} {
			cpus := []int{2}
			if section == 0 {
				cpus = []int{1, 2, 8, 32}
			}
			add(perMille, section, 1, cpus, section == 200 && perMille < 100)
		}
	}
	for _, perMille := range []int{0, 10, 100, 1000} {
		add(perMille, 50, 64, []int{2}, false)
	}
	return cases
}

func spins() []compare.Case {
	var cases []compare.Case
	for _, section := range []time.Duration{0, 50, 200} {
		for _, perP := range []int{1, 16} {
			impl := func(name string, run func(*testing.B, *Mix)) compare.Impl {
				return compare.Impl{Name: name, Bench: func(b *testing.B) {
					run(b, &Mix{PerMille: 1000, Section: section, Goroutines: perP})
				}}
			}
			c := newCase(fmt.Sprintf("spin/section=%v/goroutines-per-p=%d", section, perP),
				"One op is Lock, counting, Unlock.", []int{2, 8}, []string{syncMutex, antsLock}, []compare.Impl{
					impl(poundlock, spinPoundlock), impl(syncMutex, spinSync), impl(antsLock, spinAnts),
				})
			c.Quick = section == 50
			cases = append(cases, c)
		}
	}
	return cases
}

func waits() []compare.Case {
	w := newCase("writer/readers=32", "How long a writer waits among readers that never pause; one op is one write.",
		[]int{2}, []string{syncRW}, rwImpls(func(b *testing.B, rw rwLocker) { writerAmongReaders(b, 32, rw) }))
	w.Metrics = []string{"max-ns", "p50-ns", "p99-ns"}
	w.BenchTime = "500x"
	f := newCase("fairness/goroutines-per-p=16", "How long goroutines wait for one lock; one op is one acquisition.",
		[]int{2}, []string{syncMutex, antsLock}, waitImpls())
	f.Metrics = []string{"p50-ns", "p99-ns", "max-ns"}
	f.BenchTime = "200000x"
	r := newCase("reader/writers=4", "How long a reader waits among writers that never pause, 5 µs inside; one op is one read.",
		[]int{2}, []string{syncRW}, rwImpls(func(b *testing.B, rw rwLocker) { readerAmongWriters(b, 4, rw) }))
	r.Metrics = []string{"p50-ns", "p99-ns"}
	r.BenchTime = "1000x"
	back := newCase("returning/readers=20/writers=5", "Readers and writers that come back at once, 1 ms inside (golang/go issue 76808); one op is one write.",
		[]int{2}, []string{syncRW}, rwImpls(func(b *testing.B, rw rwLocker) { returning(b, 20, 5, rw) }))
	back.Metrics = []string{"max-ns", "read-ns", "write-ns"}
	back.BenchTime = "200x"
	return []compare.Case{w, r, back, f}
}

func keyed(peers []Peer) []compare.Case {
	var cases []compare.Case
	for _, keys := range []int{16, 1024, 65536} {
		impl := func(name, config string, run func(*testing.B, *KeyedMix)) compare.Impl {
			return compare.Impl{Name: name, Config: config, Bench: func(b *testing.B) {
				run(b, &KeyedMix{Keys: keys, mix: Mix{PerMille: 1000}})
			}}
		}
		impls := []compare.Impl{
			impl(poundlock, "Keyed[string]", keyedPoundlock),
			impl(mapMutex, "map of mutexes that only grows", keyedMap),
		}
		baselines := []string{mapMutex}
		for _, p := range peers {
			if p.Keyed != nil {
				impls = append(impls, impl(p.Name, p.Config, p.Keyed))
				baselines = append(baselines, p.Name)
			}
		}
		c := newCase(fmt.Sprintf("keyed/keys=%d", keys), "One op is Lock of a random key, counting, Unlock.",
			[]int{1, 2}, baselines, impls)
		c.Quick = keys == 1024
		cases = append(cases, c)
	}
	return cases
}
