package objpool_test

import (
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/objpool"
)

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

func TestStatsAreReadable(t *testing.T) {
	p := newPool(t, objpool.Config[*thing]{Name: "things", Max: 50})
	for range 3 {
		p.Put(p.Get())
	}
	p.Put(nil)
	p.Prewarm(4)
	v := p.Get()
	require.Equal(t, "things: 4 gets, 75% hits, 4 of 50 retained (at most 5), 1 out, 1 discarded", p.Stats().String())
	p.Put(v)
	sized := objpool.Must(objpool.New(objpool.Config[*thing]{
		New: func() *thing { return new(thing) }, Size: func(*thing) int { return 20_000 }, MaxBytes: 1e6,
	}))
	sized.Put(new(thing))
	require.Contains(t, sized.Stats().String(), "0 gets, 0% hits, 1 of 1024 retained (at most 1), 20.0k of 1.00M bytes, 0 out")

	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("pool", "objpool", p.Stats())
	require.Contains(t, log.String(), "objpool.name=things objpool.gets=4 objpool.hits=3 objpool.misses=1")
	require.NotContains(t, log.String(), "objpool.validating", "zeros are left out")
}

func TestErrorsNameThePool(t *testing.T) {
	p := newPool(t, objpool.Config[*thing]{Name: "things"})
	require.NoError(t, p.Close())
	require.EqualError(t, p.Resize(5), `objpool: closed: Resize of pool "things"`)
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

// Stats must have taken all magazines away from their owners before it reads the
// first word: in the pinned engine none is in its place afterwards, in the portable
// one all locks are held at once.
func TestStatsTakesTheMagazinesAwayFirst(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := objpool.Eager(newPool(t, objpool.Config[*thing]{}))
		for range 10 {
			p.Put(p.Get())
		}
		first, last := objpool.Stripes(p)
		if first == nil {
			require.Positive(t, objpool.InPlace(p), "the P has its magazine")
			p.Stats()
			require.Zero(t, objpool.InPlace(p))
			p.Put(p.Get())
			require.Positive(t, objpool.InPlace(p), "and fetches it again")
			return
		}
		last.Lock()
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.Stats()
		}()
		for first.TryLock() {
			first.Unlock()
			select {
			case <-done:
				t.Error("Stats did not wait for the last stripe")
				last.Unlock()
				return
			default:
				runtime.Gosched()
			}
		}
		last.Unlock()
		<-done
	})
}
