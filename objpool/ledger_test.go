package objpool_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	t.Logf("%d gets, %d snapshots", l.gets.Load(), snapshots)
}
