package connpool

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// It rings at the first of the times that it was given, once.
func TestAlarmRingsAtTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := time.Now()
		now := func() time.Duration { return time.Since(base) }
		var mu sync.Mutex
		var rang []time.Duration
		a := alarm{}
		a.ring = func() {
			mu.Lock()
			defer mu.Unlock()
			rang = append(rang, now())
			a.rang()
		}
		by := func(at time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			a.by(now(), at)
		}
		sleep := func() []time.Duration {
			time.Sleep(time.Minute) // in the bubble
			mu.Lock()
			defer mu.Unlock()
			return rang
		}
		by(5 * time.Second)
		by(9 * time.Second)
		by(2 * time.Second)
		by(3 * time.Second)
		require.Equal(t, []time.Duration{2 * time.Second}, sleep())
		by(now() + time.Second)
		require.Equal(t, []time.Duration{2 * time.Second, 61 * time.Second}, sleep())
		by(now() - time.Second)
		require.Equal(t, 120*time.Second, sleep()[2], "what is past is due at once")
		by(now() + time.Second)
		a.stop()
		require.Len(t, sleep(), 3)
		new(alarm).stop()
	})
}
