package objpool_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/objpool"
)

// What a busy P keeps in its magazine and does not need expires like the rest.
func TestIdleObjectsOfABusyPExpire(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		synctest.Test(t, func(t *testing.T) {
			p := objpool.Eager(objpool.Must(objpool.New(objpool.Config[*thing]{
				New: func() *thing { return new(thing) }, IdleTimeout: time.Minute,
			})))
			use := func(n int) {
				var held []*thing
				for range n {
					held = append(held, p.Get())
				}
				for _, v := range held {
					p.Put(v)
				}
			}
			for range 100 {
				use(12)
			}
			require.Equal(t, 12, p.Stats().Retained)
			before := stops()
			for range 120 {
				use(1)
				time.Sleep(time.Second)
			}
			synctest.Wait()
			use(1)
			require.Equal(t, 1, p.Stats().Retained)
			require.Zero(t, stops()-before)
			require.NoError(t, p.Close())
		})
	})
}

// The objects of a P that does not use the pool any more expire once the garbage
// collector ran.
func TestIdleObjectsOfAnIdlePExpireAfterACollection(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := objpool.Eager(newPool(t, objpool.Config[*thing]{
			New: func() *thing { return new(thing) }, Max: 1000, IdleTimeout: time.Millisecond,
		}))
		pat := bursts(8, fixed(10), 10)
		before := stops()
		pat.use(p, 20*time.Millisecond)
		require.Eventually(t, func() bool {
			runtime.GC()
			return p.Stats().Retained == 0 && !objpool.IdleArmed(p)
		}, 10*time.Second, 5*time.Millisecond, "the timer stops when all is gone")
		require.Zero(t, stops()-before)
	})
}

// A recalled magazine whose P never comes is taken back after a garbage collection, by
// whoever misses.
func TestAMissFindsWhatAnIdlePKept(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		p := objpool.Eager(newPool(t, objpool.Config[*thing]{Max: 1000}))
		for range 20 {
			p.Put(p.Get())
		}
		objpool.Leave(p) // as if it had been on another P
		require.Positive(t, p.Stats().Retained)
		found := 0
		for range 10_000 {
			if _, ok := p.TryGet(); ok {
				found++
			}
			if found > 0 {
				break
			}
			runtime.GC()
		}
		require.Positive(t, found)
	})
}

// A pool made outside, as package-level ones are, whose first user is in a bubble must
// go on to work outside.
func TestAPoolThatABubbleUsedFirst(t *testing.T) {
	shared := objpool.Must(objpool.New(objpool.Config[*thing]{
		New: func() *thing { return new(thing) }, IdleTimeout: 20 * time.Millisecond,
	}))
	synctest.Test(t, func(t *testing.T) {
		shared.Put(new(thing))
		require.False(t, objpool.IdleArmed(shared), "the timer would belong to the bubble")
		time.Sleep(time.Hour)
		shared.Put(new(thing))
	})
	require.Equal(t, 2, shared.Stats().Retained)
	shared.Put(new(thing))
	require.True(t, objpool.IdleArmed(shared))
	require.Eventually(t, func() bool { return shared.Stats().Retained == 0 }, 10*time.Second, time.Millisecond)
	shared.Put(new(thing))
	synctest.Test(t, func(t *testing.T) {
		shared.Put(new(thing)) // the timer outside goes on
		shared.Clear()
	})
	shared.Put(new(thing))
	require.NoError(t, shared.Close())
}

// A pool made in a bubble has its timer there, and must survive the bubble.
func TestAPoolThatOutlivesItsBubble(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var p *objpool.Pool[*thing]
		synctest.Test(t, func(t *testing.T) {
			p = newPool(t, objpool.Config[*thing]{IdleTimeout: 20 * time.Millisecond})
			p.Put(new(thing))
			require.True(t, objpool.IdleArmed(p))
		})
		p.Clear()
		synctest.Test(t, func(t *testing.T) { // another bubble, where the dead timer is overdue
			p.Put(new(thing))
			time.Sleep(30 * time.Millisecond)
			p.Put(new(thing))
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
			require.Zero(t, p.Stats().Retained)
			p.Put(new(thing))
		})
		p.Put(new(thing))
		require.Eventually(t, func() bool { return p.Stats().Retained == 0 }, 10*time.Second, time.Millisecond)
	})
}
