package objpool_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/rt"
	"github.com/poundlock/poundlock/objpool"
)

// tracked is an object that knows where it is, so that a second owner, a lost one
// and a double discard show.
type tracked struct {
	where atomic.Int32
}

const (
	atUser = iota
	inPool
	discarded
)

// ledger counts what tracked objects do, apart from the pool's own books.
type ledger struct {
	t                         testing.TB
	made, gone                atomic.Int64
	gets, puts, kept, refused atomic.Int64
}

func (l *ledger) make() *tracked {
	l.made.Add(1)
	return new(tracked)
}

func (l *ledger) move(v *tracked, from, to int32) {
	if !v.where.CompareAndSwap(from, to) {
		l.t.Errorf("object moves from %d to %d, but is at %d", from, to, v.where.Load())
	}
}

func (l *ledger) discard(v *tracked, r objpool.Reason) {
	l.gone.Add(1)
	l.move(v, inPool, discarded)
}

func (l *ledger) get(p *objpool.Pool[*tracked]) *tracked {
	v := p.Get()
	l.gets.Add(1)
	if v.where.Load() != atUser { // New makes them atUser
		l.move(v, inPool, atUser)
	}
	return v
}

func (l *ledger) put(p *objpool.Pool[*tracked], v *tracked) {
	l.move(v, atUser, inPool) // before, as another may have it at once
	l.puts.Add(1)
	if p.Put(v) {
		l.kept.Add(1)
	} else {
		l.refused.Add(1)
	}
}

// watchBooks takes snapshots until stop is closed and checks each and the way from
// one to the next. It returns how many it took.
func watchBooks(t testing.TB, p *objpool.Pool[*tracked], stop <-chan struct{}) int {
	n := 0
	var last objpool.Stats
	for {
		select {
		case <-stop:
			return n
		default:
		}
		s := p.Stats()
		n++
		if err := s.Check(); err != nil {
			t.Error(err)
			return n
		}
		if s.Gets < last.Gets || s.Hits < last.Hits || s.Misses < last.Misses || s.Puts < last.Puts ||
			s.Accepted < last.Accepted || s.Discards.Total() < last.Discards.Total() || s.HighWater < last.HighWater {
			t.Errorf("a counter went back:\n%+v\n%+v", last, s)
			return n
		}
		if s.HighWater < s.Retained || s.Outstanding < 0 {
			t.Errorf("%+v", s)
			return n
		}
		last = s
		if n%4 == 0 {
			runtime.Gosched()
		}
	}
}

// settle verifies the books of a pool that nobody uses any more against the ledger.
func (l *ledger) settle(t testing.TB, p *objpool.Pool[*tracked]) {
	t.Helper()
	objpool.CheckInside(t, p)
	s := p.Stats()
	require.NoError(t, s.Check())
	require.EqualValues(t, l.gets.Load(), s.Gets)
	require.EqualValues(t, l.puts.Load(), s.Puts)
	require.EqualValues(t, l.kept.Load(), s.Accepted)
	require.EqualValues(t, l.refused.Load(), s.Discards.AtPut())
	require.EqualValues(t, l.made.Load(), s.Misses+s.Prewarmed)
	require.EqualValues(t, l.gone.Load(), s.Discards.Total())
	require.EqualValues(t, l.made.Load()-l.gone.Load(), s.Retained+s.Outstanding, "every object is somewhere")
	require.Equal(t, s.Retained, p.Clear())
}

func stressTime() time.Duration {
	switch {
	case long:
		return 5 * time.Second
	case testing.Short():
		return 50 * time.Millisecond
	}
	return 300 * time.Millisecond
}

// stress runs users and a disturber beside snapshots, and settles.
func stress(t *testing.T, cfg objpool.Config[*tracked], eager bool, disturb func(p *objpool.Pool[*tracked], l *ledger)) {
	l := &ledger{t: t}
	made := cfg.New
	cfg.New = func() *tracked {
		v := l.make()
		if made != nil {
			return made()
		}
		return v
	}
	cfg.OnDiscard = l.discard
	p, err := objpool.New(cfg)
	require.NoError(t, err)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			var held []*tracked
			for {
				select {
				case <-stop:
					for _, v := range held {
						l.put(p, v)
					}
					return
				default:
				}
				for range rng.IntN(20) {
					held = append(held, l.get(p))
				}
				if rng.IntN(8) == 0 {
					runtime.Gosched()
				}
				for range rng.IntN(20) {
					if n := len(held); n > 0 {
						l.put(p, held[n-1])
						held = held[:n-1]
					}
				}
			}
		})
	}
	snapshots := 0
	wg.Go(func() { snapshots = watchBooks(t, p, stop) })
	end := time.After(stressTime())
loop:
	for {
		select {
		case <-end:
			break loop
		default:
		}
		if eager {
			objpool.Eager(p)
		}
		if disturb != nil {
			disturb(p, l)
		}
		runtime.Gosched()
	}
	close(stop)
	wg.Wait()
	l.settle(t, p)
	require.Greater(t, snapshots, 10)
	t.Logf("%d gets, %d snapshots, %d gathers", l.gets.Load(), snapshots, p.Stats().Gathers)
}

func TestBooksAreExactWhileUsed(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, bound := range []int{1, 5, 40, 1000} {
			stress(t, objpool.Config[*tracked]{Max: bound}, bound > 1, nil)
		}
		stress(t, objpool.Config[*tracked]{Max: 40}, false, nil)
	})
}

func TestBooksAreExactUnderClearResizeTrimPrewarm(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(7, 7))
		stress(t, objpool.Config[*tracked]{Max: 64}, true, func(p *objpool.Pool[*tracked], l *ledger) {
			switch rng.IntN(5) {
			case 0:
				p.Clear()
			case 1:
				require.NoError(t, p.Resize(1+rng.IntN(100)))
			case 2:
				p.Trim(rng.IntN(30))
			case 3:
				time.Sleep(time.Millisecond) // real time: lets the others work for a while
			}
		})
	})
}

func TestBooksAreExactWithHooks(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var n atomic.Int64
		stress(t, objpool.Config[*tracked]{
			Max:      50,
			Reset:    func(v *tracked) (*tracked, bool) { return v, n.Add(1)%7 != 0 },
			Validate: func(v *tracked) bool { return n.Add(1)%5 != 0 },
		}, true, nil)
		stress(t, objpool.Config[*tracked]{
			Max: 50, Size: func(*tracked) int { return 3 }, MaxBytes: 100,
		}, true, nil)
	})
}

// The bound must hold while Ps come and go: those that grow have no magazine yet, or
// none at all, and those that went away leave theirs behind.
func TestBoundHoldsWhileGOMAXPROCSChanges(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		rng := rand.New(rand.NewPCG(9, 9))
		procs := []int{8, 2, 1, 40}
		i := 0
		stress(t, objpool.Config[*tracked]{Max: 100}, true, func(p *objpool.Pool[*tracked], l *ledger) {
			runtime.GOMAXPROCS(procs[i%len(procs)])
			i++
			switch rng.IntN(4) {
			case 0:
				p.Clear()
			case 1:
				require.NoError(t, p.Resize(80+rng.IntN(40)))
			}
			time.Sleep(time.Millisecond) // real time: lets the others work for a while
		})
	})
}

func TestCloseUnderLoadLeavesNothing(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		rounds := 50
		if testing.Short() {
			rounds = 5
		}
		for range rounds {
			l := &ledger{t: t}
			p, err := objpool.New(objpool.Config[*tracked]{New: l.make, OnDiscard: l.discard, Max: 100})
			require.NoError(t, err)
			objpool.Eager(p)
			var wg sync.WaitGroup
			start := make(chan struct{})
			for range 4 {
				wg.Go(func() {
					<-start
					for range 300 {
						a, b := l.get(p), l.get(p)
						l.put(p, a)
						l.put(p, b)
					}
				})
			}
			wg.Go(func() {
				<-start
				runtime.Gosched()
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
			close(start)
			wg.Wait()
			s := p.Stats()
			require.Zero(t, s.Retained)
			require.Equal(t, l.made.Load(), l.gone.Load(), "all objects were discarded")
			l.settle(t, p)
		}
	})
}

// One goroutine after the other, each maybe on another P: nobody may miss what an
// earlier one put, nor be refused room that another P keeps.
func TestNothingIsOutOfSightAcrossPs(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		const workers = 8
		p := newPool(t, objpool.Config[*thing]{Max: 24})
		turn := make([]chan int, workers)
		back := make(chan struct{})
		var wg sync.WaitGroup
		retained := 0
		for g := range workers {
			turn[g] = make(chan int)
			wg.Go(func() {
				for n := range turn[g] {
					for tries := 0; tries < 300 && rt.Stripe()%2 != g%2; tries++ {
						runtime.Gosched() // on to another P
					}
					for i := range max(n, -n) {
						if n > 0 {
							if ok := p.Put(new(thing)); ok != (retained < 24) {
								t.Errorf("Put %d says %v with %d retained", i, ok, retained)
							} else if ok {
								retained++
							}
						} else if _, ok := p.TryGet(); ok != (retained > 0) {
							t.Errorf("TryGet %d says %v with %d retained", i, ok, retained)
						} else if ok {
							retained--
						}
					}
					back <- struct{}{}
				}
			})
		}
		busy := make(chan struct{})
		for range 2 { // something else to run, so that workers move
			wg.Go(func() {
				for {
					select {
					case <-busy:
						return
					default:
						runtime.Gosched()
					}
				}
			})
		}
		rng := rand.New(rand.NewPCG(3, 3))
		rounds := 3000
		if testing.Short() {
			rounds = 300
		}
		for range rounds {
			objpool.Eager(p)
			turn[rng.IntN(workers)] <- rng.IntN(61) - 30
			<-back
		}
		for _, c := range turn {
			close(c)
		}
		close(busy)
		wg.Wait()
		require.Equal(t, retained, p.Stats().Retained)
		if !testing.Short() && runtime.GOMAXPROCS(0) > 1 {
			require.Positive(t, p.Stats().Gathers, "the test must see what it is about")
		}
	})
}

func TestGathersThatComeTooOftenMakeMagazinesDear(t *testing.T) {
	p := newPool(t, objpool.Config[*thing]{Max: 200})
	require.EqualValues(t, 64, objpool.EarnNeed(p))
	for range 20 {
		// Fill and drain from new goroutines: some find things in magazines of others.
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 500 {
					p.Put(new(thing))
					runtime.Gosched()
				}
				for range 500 {
					p.TryGet()
					runtime.Gosched()
				}
			})
		}
		wg.Wait()
	}
	require.LessOrEqual(t, objpool.EarnNeed(p), uint32(1<<16))
	if p.Stats().Gathers > 3 {
		require.Greater(t, objpool.EarnNeed(p), uint32(64))
	}
}

func TestResetStats(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := newPool(t, objpool.Config[*thing]{Name: "n"})
		born := p.Stats().LastReset
		require.False(t, born.IsZero())
		p.Prewarm(5)
		v := p.Get()
		p.ResetStats()
		s := p.Stats()
		require.Equal(t, "n", s.Name)
		require.Zero(t, s.Gets)
		require.Zero(t, s.Prewarmed)
		require.EqualValues(t, 4, s.Carried)
		require.Equal(t, 4, s.Retained)
		require.Equal(t, 4, s.HighWater)
		require.Equal(t, 1, s.Outstanding)
		require.False(t, s.LastReset.Before(born))
		p.Put(v)
		p.Get()
		p.Clear()
		s = p.Stats()
		require.NoError(t, s.Check())
		require.EqualValues(t, 1, s.Hits)
		require.EqualValues(t, 1, s.Puts)
		require.Equal(t, 5, s.HighWater)
	})
}

func TestCheckFindsBooksThatDoNotBalance(t *testing.T) {
	good := objpool.Stats{Gets: 3, Hits: 2, Misses: 1, Puts: 4, Accepted: 3, Retained: 1, Max: 2}
	good.Discards.Full = 1
	require.NoError(t, good.Check())
	for i, spoil := range []func(*objpool.Stats){
		func(s *objpool.Stats) { s.Misses++ },
		func(s *objpool.Stats) { s.Puts++ },
		func(s *objpool.Stats) { s.Retained++ },
		func(s *objpool.Stats) { s.Max = 0 },
		func(s *objpool.Stats) { s.RetainedBytes = -1 },
		func(s *objpool.Stats) { s.MaxBytes, s.RetainedBytes = 1, 2 },
	} {
		s := good
		spoil(&s)
		require.Error(t, s.Check(), i)
	}
}

// Objects that move from one P to another while the words of both are read one after
// the other must not be counted twice.
func TestASnapshotIsOneCut(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		const population = 8
		p := newPool(t, objpool.Config[*thing]{Max: 500})
		p.Prewarm(population)
		stop := make(chan struct{})
		way := make(chan *thing, population)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if v, ok := p.TryGet(); ok {
						way <- v
					}
					runtime.Gosched()
					select {
					case v := <-way:
						p.Put(v)
					default:
					}
				}
			})
		}
		rounds := 300
		if testing.Short() {
			rounds = 100
		}
		pauses := 0
		for range rounds {
			objpool.Eager(p)
			time.Sleep(100 * time.Microsecond) // real time: lets objects move
			pause := func() {
				pauses++
				time.Sleep(20 * time.Microsecond) // real time: widens the window under test
			}
			if n := objpool.SlowRetained(p, pause); n > population {
				t.Errorf("%d retained, there are %d", n, population)
				break
			}
			if s := p.Stats(); s.Retained > population || s.Retained+s.Outstanding != population {
				t.Errorf("%d retained + %d outstanding", s.Retained, s.Outstanding)
			}
		}
		close(stop)
		wg.Wait()
		for len(way) > 0 {
			p.Put(<-way)
		}
		require.Equal(t, population, p.Stats().Retained)
		require.Positive(t, pauses, "there were magazines")
	})
}
