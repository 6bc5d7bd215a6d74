package batchchan

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// For random times an alarm that is set anew when it rings, for the earliest time that
// is left, rings at each of them, and never later.
func TestAlarmRingsAtTheEarliestTime(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		times := rapid.SliceOfN(rapid.IntRange(1, 50), 1, 12).Draw(rt, "times")
		pauses := rapid.SliceOfN(rapid.IntRange(0, 20), len(times), len(times)).Draw(rt, "pauses")
		synctest.Test(t, func(*testing.T) {
			start := time.Now()
			now := func() time.Duration { return time.Since(start) }
			var (
				mu   spinLock
				left []time.Duration
				a    alarm
			)
			mu.init(false)
			set := func() {
				for i, at := range left {
					if i == 0 || !a.before(at) {
						a.set(at, now())
					}
				}
			}
			a.ring = func() {
				mu.lock()
				defer mu.unlock()
				a.rang()
				kept := left[:0]
				for _, at := range left {
					require.GreaterOrEqual(rt, at, now(), "late")
					if at > now() {
						kept = append(kept, at)
					}
				}
				left = kept
				set()
			}
			for i, at := range times {
				time.Sleep(time.Duration(pauses[i]))
				mu.lock()
				left = append(left, now()+time.Duration(at))
				set()
				mu.unlock()
			}
			time.Sleep(time.Hour)
			require.Empty(rt, left)
			require.False(rt, a.armed, "nothing rings when nothing is due")
		})
	})
}

func TestAlarmStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rings := 0
		a := alarm{ring: func() { rings++ }}
		a.stop() // before it was ever set
		a.set(2, 0)
		a.set(3, 0)
		require.True(t, a.before(2))
		require.False(t, a.before(1))
		a.stop()
		require.False(t, a.before(2))
		time.Sleep(time.Second)
		require.Zero(t, rings)
	})
}
