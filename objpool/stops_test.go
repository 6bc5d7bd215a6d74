package objpool_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/objpool"
)

// stops returns how often the world was stopped for anything but a garbage collection.
func stops() (n uint64) {
	s := []metrics.Sample{{Name: "/sched/pauses/stopping/other:seconds"}}
	metrics.Read(s)
	for _, c := range s[0].Value.Float64Histogram().Counts {
		n += c
	}
	return n
}

// A pattern uses a pool in one way for a while. It never has more than working objects
// in use and on their way at once.
type pattern struct {
	name    string
	working int
	use     func(p *objpool.Pool[*thing], d time.Duration)
}

// handOver takes on some goroutines and puts back on others, through a channel.
func handOver(takers, putters, queue int) pattern {
	name := fmt.Sprintf("hand-over/takers=%d/putters=%d/queue=%d", takers, putters, queue)
	return pattern{name, takers + putters + queue, func(p *objpool.Pool[*thing], d time.Duration) {
		way := make(chan *thing, queue)
		var taking, putting sync.WaitGroup
		var stop atomic.Bool
		for range putters {
			putting.Go(func() {
				for v := range way {
					p.Put(v)
				}
			})
		}
		for range takers {
			taking.Go(func() {
				for !stop.Load() {
					way <- p.Get()
				}
			})
		}
		time.Sleep(d) // real time: how long the pattern lasts
		stop.Store(true)
		taking.Wait()
		close(way)
		putting.Wait()
	}}
}

// bursts takes size objects and puts them back, on each of some goroutines.
func bursts(goroutines int, size func(round int) int, most int) pattern {
	name := fmt.Sprintf("bursts/goroutines=%d/most=%d", goroutines, most)
	return pattern{name, goroutines * most, func(p *objpool.Pool[*thing], d time.Duration) {
		var wg sync.WaitGroup
		end := time.Now().Add(d)
		for g := range goroutines {
			wg.Go(func() {
				var vs []*thing
				for round := g; time.Now().Before(end); round++ {
					for range size(round) {
						vs = append(vs, p.Get())
					}
					if round%16 == 0 {
						runtime.Gosched() // maybe on to another P
					}
					for _, v := range vs {
						p.Put(v)
					}
					vs = vs[:0]
				}
			})
		}
		wg.Wait()
	}}
}

func fixed(n int) func(int) int { return func(int) int { return n } }

func mixed(most int) func(int) int {
	return func(round int) int { return 1 + (round*7919)%most }
}

var patterns = []pattern{
	handOver(1, 1, 0),
	handOver(1, 1, 8),
	handOver(1, 1, 64),
	handOver(1, 2, 64),
	handOver(2, 1, 128),
	handOver(3, 3, 32),
	bursts(1, fixed(60), 60),
	bursts(2, fixed(60), 60),
	bursts(4, fixed(17), 17),
	bursts(3, mixed(40), 40),
	bursts(2, mixed(500), 500),
}

// No pattern stops the world; and once it is warm it neither misses nor is refused,
// if Max has room for what is in use and for a magazine of each P.
func TestSteadyPatternsStopNobodyAndHit(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, procs := range []int{2, 4} {
			for _, pat := range patterns {
				t.Run(fmt.Sprintf("%s/procs=%d", pat.name, procs), func(t *testing.T) {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
					steady(t, pat, procs)
				})
			}
		}
	})
}

func steady(t *testing.T, pat pattern, procs int) {
	p := newPool(t, objpool.Config[*thing]{
		New: func() *thing { return new(thing) },
		Max: pat.working + 16*procs,
	})
	d := 30 * time.Millisecond
	if long {
		d = 2 * time.Second
	}
	before := stops()
	p.Prewarm(pat.working) // a short warm-up need not see all in use at once
	pat.use(p, 2*d)
	p.ResetStats()
	for range 100 { // on a machine that others use, that time may be nobody's
		pat.use(p, 2*d)
		if p.Stats().Gets > 1000 {
			break
		}
	}
	s := p.Stats()
	require.Zero(t, stops()-before, "stops of the world")
	require.NoError(t, s.Check())
	require.Greater(t, s.Gets, uint64(1000))
	require.GreaterOrEqual(t, s.HitRate, 0.999, "%+v", s)
	require.Zero(t, s.Discards.Full, "refusals; %+v", s)
	t.Logf("%d Gets, %d misses, %d refused, %d recalls, %d retained of %d",
		s.Gets, s.Misses, s.Discards.Full, s.Recalls, s.Retained, s.Max)
}

// Whatever the mix, none of the calls that serve objects stops the world, and the calls
// that may, do so once each.
func TestOnlyManagementStopsTheWorld(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		first, _ := objpool.Stripes(newPool(t, objpool.Config[*thing]{}))
		portable := first != nil
		for _, bound := range []int{1, 7, 64, 1000} {
			p := newPool(t, objpool.Config[*thing]{
				New: func() *thing { return new(thing) }, Max: bound, IdleTimeout: time.Millisecond,
			})
			objpool.Eager(p)
			var wg sync.WaitGroup
			var stop atomic.Bool
			work := func(g int) {
				rng := rand.New(rand.NewPCG(uint64(g), uint64(bound)))
				var held []*thing
				for !stop.Load() {
					switch rng.IntN(8) {
					case 0:
						_ = p.Do(func(*thing) error { return nil })
					case 1:
						p.Prewarm(rng.IntN(20))
					case 2:
						if v, ok := p.TryGet(); ok {
							held = append(held, v)
						}
					case 3:
						p.Stats()
					default:
						for range rng.IntN(40) {
							held = append(held, p.Get())
						}
						for _, v := range held {
							p.Put(v)
						}
						held = held[:0]
					}
				}
			}
			for g := range 4 {
				wg.Go(func() { work(g) })
			}
			old := runtime.GOMAXPROCS(0)
			before := stops()
			changes := uint64(0)
			for _, procs := range []int{8, 1, 20, 2, old} {
				time.Sleep(20 * time.Millisecond) // real time: how long the mix lasts
				if procs != runtime.GOMAXPROCS(0) {
					changes++ // each stops the world
					runtime.GOMAXPROCS(procs)
				}
			}
			require.Equal(t, changes, stops()-before, "Max %d", bound)
			for _, f := range []func(){
				func() { p.Clear() },
				func() { p.Trim(bound) },
				func() { require.NoError(t, p.Resize(bound)) },
				func() { require.NoError(t, p.Close()) },
			} {
				time.Sleep(5 * time.Millisecond) // real time: lets the others work for a while
				before := stops()
				f()
				n := stops() - before
				require.LessOrEqual(t, n, uint64(1))
				if portable {
					require.Zero(t, n)
				}
			}
			stop.Store(true)
			wg.Wait()
		}
	})
}
