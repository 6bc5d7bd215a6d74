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

func TestChanContextAndTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := batchchan.NewChan[int](1)
		start := time.Now()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err := c.Recv(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		_, err = c.RecvTimeout(time.Second)
		require.ErrorIs(t, err, batchchan.ErrTimeout)
		require.NoError(t, c.SendTimeout(1, time.Second))
		require.ErrorIs(t, c.SendTimeout(2, time.Second), batchchan.ErrTimeout)
		require.Equal(t, 3*time.Second, time.Since(start))
		require.ErrorIs(t, c.Send(ctx, 2), context.DeadlineExceeded, "ctx wins")
		_, err = c.Recv(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded, "ctx wins though there is an item")
		_, err = c.RecvMany(ctx, make([]int, 2))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		n, err := c.RecvMany(bg, nil)
		require.NoError(t, err)
		require.Zero(t, n)
		ctx2, cancel2 := context.WithTimeout(bg, time.Second)
		defer cancel2()
		n, err = c.SendMany(ctx2, []int{2, 3})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, n)
		s := c.Stats()
		require.EqualValues(t, 2, s.SendWaits)
		require.EqualValues(t, 2, s.RecvWaits)
		require.Equal(t, 2*time.Second, s.SendWaitTime)
		require.Equal(t, 2*time.Second, s.RecvWaitTime)
		require.Zero(t, s.SendersWaiting+s.ReceiversWaiting)
	})
}

func TestChanWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := batchchan.NewChan[int](1)
		require.NoError(t, c.Send(bg, 0))
		for i := 1; i <= 10; i++ {
			go func() { require.NoError(t, c.Send(bg, i)) }()
			synctest.Wait()
		}
		require.Equal(t, 10, c.Stats().SendersWaiting)
		for i := range 11 {
			v, err := c.Recv(bg)
			require.NoError(t, err)
			require.Equal(t, i, v)
			synctest.Wait()
		}
		got := make(chan [2]int, 10)
		for i := range 10 {
			go func() {
				v, err := c.Recv(bg)
				require.NoError(t, err)
				got <- [2]int{i, v}
			}()
			synctest.Wait()
		}
		for i := range 10 {
			require.NoError(t, c.Send(bg, i))
			require.Equal(t, [2]int{i, i}, <-got)
		}
	})
}

// Room for several and only one waiter on its way: it must wake the next.
func TestChanWakesAllForWhomThereIsSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := batchchan.NewChan[int](8)
		_, err := c.SendMany(bg, upTo(8))
		require.NoError(t, err)
		for i := range 8 {
			go func() { require.NoError(t, c.Send(bg, 8+i)) }()
		}
		synctest.Wait()
		dst := make([]int, 8)
		n, err := c.RecvMany(bg, dst)
		require.NoError(t, err)
		require.Equal(t, 8, n)
		synctest.Wait()
		require.Equal(t, 8, c.Len())
		n, _ = c.RecvMany(bg, dst)
		require.Equal(t, 8, n)

		sum := make(chan int, 8)
		for range 8 {
			go func() {
				v, err := c.Recv(bg)
				require.NoError(t, err)
				sum <- v
			}()
		}
		synctest.Wait()
		_, err = c.SendMany(bg, upTo(8))
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, sum, 8)
	})
}

// A waiter that is cancelled just as it is woken passes the wake-up on.
func TestChanCancelledWaitersLoseNoWakeUp(t *testing.T) {
	for range 300 {
		c := batchchan.NewChan[int](1)
		ctx, cancel := context.WithCancel(bg)
		var wg sync.WaitGroup
		var got atomic.Int32
		for i := range 4 {
			wg.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = c.Recv(ctx)
				} else {
					_, err = c.Recv(bg)
				}
				if err == nil {
					got.Add(1)
				}
			})
		}
		wg.Go(cancel)
		for i := range 4 {
			require.NoError(t, c.SendTimeout(i, time.Minute))
			if i >= 1 && c.Len() == 1 {
				c.Close()
				break
			}
		}
		c.Close()
		wg.Wait()
		require.GreaterOrEqual(t, got.Load(), int32(2))
	}
}

func TestChanCForSelect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := batchchan.NewChan[int](4)
		_, err := c.SendMany(bg, []int{0, 1, 2, 3})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(bg)
		ch := c.C(ctx)
		require.Equal(t, 0, <-ch)
		require.Equal(t, 1, <-ch)
		synctest.Wait() // it holds 2
		require.Equal(t, 2, c.Len())
		require.EqualValues(t, 2, c.Stats().Received)
		c.Close()
		late := make(chan error)
		go func() {
			for want := 2; want < 4; want++ {
				v, err := c.Recv(bg)
				require.NoError(t, err)
				require.True(t, v == 2 || v == 3)
			}
			_, err := c.Recv(bg)
			late <- err
		}()
		synctest.Wait() // it has 3 and waits for 2, which may come back
		cancel()
		synctest.Wait()
		require.ErrorIs(t, <-late, batchchan.ErrClosed)
		_, open := <-ch
		require.False(t, open)
		s := c.Stats()
		require.EqualValues(t, 4, s.Sent)
		require.EqualValues(t, 4, s.Received)

		done, cancel := context.WithCancel(bg)
		cancel()
		_, open = <-batchchan.NewChan[int](1).C(done)
		require.False(t, open)
		d := batchchan.NewChan[int](1)
		require.NoError(t, d.Send(bg, 7))
		d.Close()
		sum := 0
		for v := range d.C(bg) {
			sum += v
		}
		require.Equal(t, 7, sum)
	})
}
