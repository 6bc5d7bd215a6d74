package batchchan_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestChanIsAFIFOWithExactCapacity(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 7, 8, 63, 64, 100} {
		c := batchchan.NewChan[int](n)
		require.Equal(t, n, c.Cap())
		next := 0
		for range 7 { // several laps, at odd offsets
			for i := range n {
				require.NoError(t, c.TrySend(next+i))
				require.Equal(t, i+1, c.Len())
			}
			require.ErrorIs(t, c.TrySend(0), batchchan.ErrFull)
			require.ErrorIs(t, c.SendTimeout(0, -1), batchchan.ErrFull)
			for i := range n {
				v, err := c.TryRecv()
				require.NoError(t, err)
				require.Equal(t, next+i, v)
			}
			_, err := c.TryRecv()
			require.ErrorIs(t, err, batchchan.ErrEmpty)
			_, err = c.RecvTimeout(0)
			require.ErrorIs(t, err, batchchan.ErrEmpty)
			next += n
			require.NoError(t, c.TrySend(next))
			v, _ := c.TryRecv()
			require.Equal(t, next, v)
			next++
		}
		s := c.Stats()
		require.EqualValues(t, next, s.Sent)
		require.EqualValues(t, next, s.Received)
		require.Equal(t, n, s.HighWater)
	}
	require.PanicsWithValue(t, "batchchan: NewChan: capacity must be at least 1", func() { batchchan.NewChan[int](0) })
	require.Panics(t, func() { batchchan.NewChan[int](-1) })
}

func TestChanCloseIsIdempotentAndDrains(t *testing.T) {
	c := batchchan.NewChan[int](4)
	require.NoError(t, c.Send(bg, 1))
	require.NoError(t, c.Send(bg, 2))
	require.False(t, c.Closed())
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	require.True(t, c.Closed())
	require.ErrorIs(t, c.Send(bg, 3), batchchan.ErrClosed)
	require.ErrorIs(t, c.TrySend(3), batchchan.ErrClosed)
	n, err := c.SendMany(bg, []int{3})
	require.ErrorIs(t, err, batchchan.ErrClosed)
	require.Zero(t, n)
	n, err = c.SendMany(bg, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	var got []int
	for v, err := range c.All(bg) {
		require.NoError(t, err)
		got = append(got, v)
	}
	require.Equal(t, []int{1, 2}, got)
	for range 3 {
		_, err := c.Recv(bg)
		require.ErrorIs(t, err, batchchan.ErrClosed)
		_, err = c.TryRecv()
		require.ErrorIs(t, err, batchchan.ErrClosed)
		_, err = c.RecvMany(bg, make([]int, 3))
		require.ErrorIs(t, err, batchchan.ErrClosed)
	}
	require.True(t, c.Stats().Closed)
}

// The senders at Close: each item whose Send returned nil is received, each
// other returned ErrClosed, nobody panics.
func TestChanCloseAgainstSenders(t *testing.T) {
	for range 50 {
		c := batchchan.NewChan[int](3)
		var accepted, received atomic.Int64
		var senders, receivers sync.WaitGroup
		for g := range 6 {
			senders.Go(func() {
				for {
					n, err := 1, error(nil)
					if g%2 == 0 {
						err = c.Send(bg, 1)
					} else {
						n, err = c.SendMany(bg, []int{1, 1, 1, 1, 1})
					}
					if err == nil || g%2 == 1 {
						accepted.Add(int64(n))
					}
					if err != nil {
						require.ErrorIs(t, err, batchchan.ErrClosed)
						return
					}
				}
			})
		}
		for g := range 3 {
			receivers.Go(func() {
				buf := make([]int, 4)
				for {
					n, err := 1, error(nil)
					if g == 0 {
						_, err = c.Recv(bg)
					} else {
						n, err = c.RecvMany(bg, buf)
					}
					if err != nil {
						require.ErrorIs(t, err, batchchan.ErrClosed)
						return
					}
					if received.Add(int64(n)) > 500 {
						c.Close()
					}
				}
			})
		}
		senders.Wait()
		receivers.Wait()
		require.Equal(t, accepted.Load(), received.Load())
		s := c.Stats()
		require.EqualValues(t, accepted.Load(), s.Sent)
		require.EqualValues(t, accepted.Load(), s.Received)
		require.Zero(t, s.Len)
		// Whether a sender ever finds it full is the scheduler's choice.
		require.GreaterOrEqual(t, s.HighWater, 1)
		require.LessOrEqual(t, s.HighWater, 3)
	}
}

func TestChanStress(t *testing.T) {
	n := 20000
	if testing.Short() {
		n = 3000
	}
	for _, cfg := range []struct{ capacity, senders, receivers int }{{1, 1, 1}, {1, 4, 4}, {5, 8, 2}, {64, 2, 8}, {1000, 8, 8}} {
		c := batchchan.NewChan[[2]int](cfg.capacity)
		var senders, receivers sync.WaitGroup
		for g := range cfg.senders {
			senders.Go(func() {
				for i := 0; i < n; {
					if i%17 == 0 && i+3 < n {
						k, err := c.SendMany(bg, [][2]int{{g, i}, {g, i + 1}, {g, i + 2}})
						require.NoError(t, err)
						i += k
						continue
					}
					require.NoError(t, c.Send(bg, [2]int{g, i}))
					i++
				}
			})
		}
		var total atomic.Int64
		for g := range cfg.receivers {
			receivers.Go(func() {
				last := make([]int, cfg.senders)
				for i := range last {
					last[i] = -1
				}
				buf := make([][2]int, 1+g*5)
				for {
					k, err := c.RecvMany(bg, buf)
					if err != nil {
						return
					}
					for _, v := range buf[:k] {
						if v[1] <= last[v[0]] {
							t.Errorf("sender %d: %d after %d", v[0], v[1], last[v[0]])
						}
						last[v[0]] = v[1]
					}
					total.Add(int64(k))
				}
			})
		}
		senders.Wait()
		c.Close()
		receivers.Wait()
		require.EqualValues(t, n*cfg.senders, total.Load())
	}
}

func TestChanWaitIsSampledAndRateIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := batchchan.NewChan[int](8)
		before := c.Stats()
		for i := range 3000 {
			require.NoError(t, c.Send(bg, i))
			time.Sleep(time.Millisecond)
			_, err := c.Recv(bg)
			require.NoError(t, err)
		}
		s := c.Stats()
		require.InDelta(t, 1000, s.Rate(before), 0.01)
		require.InDelta(t, 3000/64, s.Wait.Count, 30)
		require.InEpsilon(t, time.Millisecond, s.Wait.P50, 0.04)
		require.Equal(t, 1, s.HighWater)
	})
}

// Items that several C hold come back in their order, whichever ends first.
func TestWhatComesBackFromCIsInOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {0, 2, 1}, {1, 2, 0}, {2, 0, 1}} {
		synctest.Test(t, func(t *testing.T) {
			c := batchchan.NewChan[int](8)
			for i := range 6 {
				require.NoError(t, c.TrySend(i))
			}
			var ends []context.CancelFunc
			for range order {
				ctx, cancel := context.WithCancel(bg)
				c.C(ctx)
				synctest.Wait()
				ends = append(ends, cancel)
			}
			require.Equal(t, 6, c.Len())
			for _, i := range order {
				ends[i]()
				synctest.Wait()
			}
			// One more holds the first again and gives it back.
			ctx, cancel := context.WithCancel(bg)
			c.C(ctx)
			synctest.Wait()
			cancel()
			synctest.Wait()
			c.Close()
			for i := range 6 {
				v, err := c.TryRecv()
				require.NoError(t, err)
				require.Equal(t, i, v)
			}
			_, err := c.TryRecv()
			require.ErrorIs(t, err, batchchan.ErrClosed)
		})
	}
}
