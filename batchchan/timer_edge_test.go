package batchchan

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A taker reads the clock before it takes the lock, and the timer is set by another
// reading of it: time passes in between. Whatever it passes, the item is taken when it
// has reached the age Linger, or at once if that is over when somebody looks.
func TestTimePassesBetweenTwoReadingsOfTheClock(t *testing.T) {
	const linger = 10 * time.Millisecond
	steps := []time.Duration{0, 1, linger - 1, linger, linger + 1, 3 * linger}
	for _, lane := range []bool{false, true} {
		for sendAt := range 3 { // before the reading, after it, or after a pause more
			for _, first := range steps {
				for _, second := range steps {
					t.Run(fmt.Sprintf("lane=%v/send=%d/%v/%v", lane, sendAt, first, second), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							q, err := NewQueue[int](Config[int]{Linger: linger})
							require.NoError(t, err)
							c, p := q.g, q.Producer()
							pass := func(d time.Duration) { // the clock goes on; nothing else does
								c.mu.lock()
								c.core.clock.base = c.core.clock.base.Add(-d)
								c.mu.unlock()
							}
							var sent time.Duration
							send := func(now int) {
								if now != sendAt {
									return
								}
								sent = c.now()
								if lane {
									require.NoError(t, p.Send(context.Background(), 1))
								} else {
									require.NoError(t, q.Send(context.Background(), 1))
								}
							}
							send(0)
							now := c.now() // the first reading
							pass(first)
							send(1)
							pass(second)
							send(2)

							looked := c.now()
							var e effects[int]
							taker := &taker{signal: newSignal()}
							c.mu.lock()
							var b *batch[int]
							for range 4 { // a taker that looks for ever would burn a core
								if b = c.core.take(now, &e); b != nil {
									break
								}
								var woken bool
								now, woken = c.parkLocked(context.Background(), taker, &e) // the second
								require.True(t, woken)
							}
							c.unlock(&e)
							require.NotNil(t, b, "the item is taken")
							require.Equal(t, max(sent+linger, looked), c.now())
							c.finish(b, c.now())
							c.mu.lock()
							c.core.complete(b, &e)
							c.unlock(&e)
							require.NoError(t, q.Close())
						})
					})
				}
			}
		}
	}
}
