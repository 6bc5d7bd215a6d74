package batchchan

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

func TestChanIsAFIFOWithExactCapacity(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 7, 8, 63, 64, 100} {
		c := NewChan[int](n)
		require.Equal(t, n, c.Cap())
		next := 0
		for range 7 { // several laps, at odd offsets
			for i := range n {
				require.NoError(t, c.TrySend(next+i))
				require.Equal(t, i+1, c.Len())
			}
			require.ErrorIs(t, c.TrySend(0), ErrFull)
			require.ErrorIs(t, c.SendTimeout(0, -1), ErrFull)
			for i := range n {
				v, err := c.TryRecv()
				require.NoError(t, err)
				require.Equal(t, next+i, v)
			}
			_, err := c.TryRecv()
			require.ErrorIs(t, err, ErrEmpty)
			_, err = c.RecvTimeout(0)
			require.ErrorIs(t, err, ErrEmpty)
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
	require.PanicsWithValue(t, "batchchan: NewChan: capacity must be at least 1", func() { NewChan[int](0) })
	require.Panics(t, func() { NewChan[int](-1) })
}

func TestChanTickets(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 64, 100} {
		var r ring[int]
		r.init(n)
		ticket := uint64(0)
		for i := range 5 * n {
			require.EqualValues(t, i, r.count(ticket))
			far := ticket
			for k := range n + 1 {
				require.Equal(t, far, r.plus(ticket, k), "cap %d: %d plus %d", n, ticket, k)
				far = r.after(far)
			}
			ticket = r.after(ticket)
		}
	}
}

func TestChanCloseIsIdempotentAndDrains(t *testing.T) {
	c := NewChan[int](4)
	require.NoError(t, c.Send(bg, 1))
	require.NoError(t, c.Send(bg, 2))
	require.False(t, c.Closed())
	require.True(t, c.Close())
	require.False(t, c.Close())
	require.True(t, c.Closed())
	require.ErrorIs(t, c.Send(bg, 3), ErrClosed)
	require.ErrorIs(t, c.TrySend(3), ErrClosed)
	n, err := c.SendMany(bg, []int{3})
	require.ErrorIs(t, err, ErrClosed)
	require.Zero(t, n)
	n, err = c.SendMany(bg, nil)
	require.NoError(t, err)
	require.Zero(t, n)
	var got []int
	for v := range c.All() {
		got = append(got, v)
	}
	require.Equal(t, []int{1, 2}, got)
	for range 3 {
		_, err := c.Recv(bg)
		require.ErrorIs(t, err, ErrClosed)
		_, err = c.TryRecv()
		require.ErrorIs(t, err, ErrClosed)
		_, err = c.RecvMany(bg, make([]int, 3))
		require.ErrorIs(t, err, ErrClosed)
	}
	require.True(t, c.Stats().Closed)
}

func TestChanContextAndTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewChan[int](1)
		start := time.Now()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err := c.Recv(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		_, err = c.RecvTimeout(time.Second)
		require.ErrorIs(t, err, ErrTimeout)
		require.NoError(t, c.SendTimeout(1, time.Second))
		require.ErrorIs(t, c.SendTimeout(2, time.Second), ErrTimeout)
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
		require.EqualValues(t, 2, s.SendsBlocked)
		require.EqualValues(t, 2, s.RecvsBlocked)
		require.Equal(t, 2*time.Second, s.SendBlockedTime)
		require.Equal(t, 2*time.Second, s.RecvBlockedTime)
		require.Zero(t, s.SendersWaiting+s.ReceiversWaiting)
	})
}

func TestChanWaitersAreServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewChan[int](1)
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
		c := NewChan[int](8)
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
		c := NewChan[int](1)
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

// The senders at Close: each item whose Send returned nil is received, each
// other returned ErrClosed, nobody panics.
func TestChanCloseAgainstSenders(t *testing.T) {
	for range 50 {
		c := NewChan[int](3)
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
						require.ErrorIs(t, err, ErrClosed)
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
						require.ErrorIs(t, err, ErrClosed)
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
		c := NewChan[[2]int](cfg.capacity)
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

func TestChanCForSelect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewChan[int](4)
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
		require.ErrorIs(t, <-late, ErrClosed)
		_, open := <-ch
		require.False(t, open)
		s := c.Stats()
		require.EqualValues(t, 4, s.Sent)
		require.EqualValues(t, 4, s.Received)

		done, cancel := context.WithCancel(bg)
		cancel()
		_, open = <-NewChan[int](1).C(done)
		require.False(t, open)
		d := NewChan[int](1)
		require.NoError(t, d.Send(bg, 7))
		d.Close()
		sum := 0
		for v := range d.C(bg) {
			sum += v
		}
		require.Equal(t, 7, sum)
	})
}

func TestChanWaitIsSampledAndRateIsRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewChan[int](8)
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

// Linearizability of concurrent operations with Close, by porcupine, against
// this model: a FIFO of bounded length with a flag.
type chanOp struct {
	kind string // send, recv, trySend, tryRecv, close
	v    int
}

type chanOut struct {
	v   int
	err error
	ok  bool
}

type chanState struct {
	items  string // one rune per item: comparable and cheap to copy
	closed bool
}

func chanModel(capacity int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return chanState{} },
		Step: func(state, in, out any) (bool, any) {
			s, op, o := state.(chanState), in.(chanOp), out.(chanOut)
			switch op.kind {
			case "send":
				switch o.err {
				case ErrClosed:
					return s.closed, s
				case ErrFull:
					return !s.closed && len(s.items) >= capacity, s
				}
				ok := !s.closed && len(s.items) < capacity
				s.items += string([]byte{byte(op.v)})
				return ok, s
			case "recv":
				switch o.err {
				case ErrClosed:
					return s.closed && s.items == "", s
				case ErrEmpty:
					return !s.closed && s.items == "", s
				}
				if s.items == "" || int(s.items[0]) != o.v {
					return false, s
				}
				s.items = s.items[1:]
				return true, s
			}
			ok := o.ok == !s.closed
			s.closed = true
			return ok, s
		},
	}
}

func TestChanIsLinearizable(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 30
	}
	if long {
		rounds = 20000
	}
	for round := range rounds {
		capacity := 1 + round%3
		c := NewChan[int](capacity)
		base := time.Now()
		var mu sync.Mutex
		var ops []porcupine.Operation
		var wg sync.WaitGroup
		const clients, each = 4, 12
		for id := range clients {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(round), uint64(id)))
				for i := range each {
					var op chanOp
					var out chanOut
					call := time.Since(base)
					switch k := rng.IntN(20); {
					case k < 6:
						op = chanOp{"send", id*each + i}
						out.err = c.TrySend(op.v)
					case k < 12:
						op = chanOp{"recv", 0}
						out.v, out.err = c.TryRecv()
					case k < 15: // blocking, but not for ever
						op = chanOp{"send", id*each + i}
						if out.err = c.SendTimeout(op.v, 50*time.Microsecond); out.err == ErrTimeout {
							continue // no effect, which the others prove
						}
					case k < 19 || i < each/2:
						op = chanOp{"recv", 0}
						if out.v, out.err = c.RecvTimeout(50 * time.Microsecond); out.err == ErrTimeout {
							continue
						}
					default:
						op = chanOp{kind: "close"}
						out.ok = c.Close()
					}
					end := time.Since(base)
					mu.Lock()
					ops = append(ops, porcupine.Operation{ClientId: id, Input: op, Output: out, Call: int64(call), Return: int64(end)})
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if res := porcupine.CheckOperationsTimeout(chanModel(capacity), ops, 5*time.Second); res == porcupine.Illegal {
			t.Fatalf("round %d is not linearizable: %+v", round, ops)
		}
	}
}
