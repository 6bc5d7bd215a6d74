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
