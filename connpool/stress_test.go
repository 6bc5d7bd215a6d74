package connpool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// TestStressEverything lets everything happen at once on real time: borrowers that
// give up, destroy, hijack; dials that fail; evictions, resets, resizes, pauses. A
// validator runs beside; the server checks bounds and exclusive use.
func TestStressEverything(t *testing.T) {
	for name, change := range map[string]func(*server, *connpool.Config[*fake]){
		"plain": func(*server, *connpool.Config[*fake]) {},
		"lifo":  func(_ *server, c *connpool.Config[*fake]) { c.Order = connpool.LIFO },
		"fifo":  func(_ *server, c *connpool.Config[*fake]) { c.Order, c.MaxUses = connpool.FIFO, 7 },
		"check": func(s *server, c *connpool.Config[*fake]) { c.Check, c.CheckAfterIdle = s.check, -1 },
		"reset": func(_ *server, c *connpool.Config[*fake]) {
			c.Reset = func(context.Context, *fake) error { return nil }
		},
		"limits": func(s *server, c *connpool.Config[*fake]) {
			c.MaxIdle, c.MinIdle, c.MaxDialing, c.MaxWaiters = 3, 2, 2, 10
			c.IdleTimeout, c.MaxLifetime, c.KeepAlive, c.Tick = 2*ms, 10*ms, ms, ms
			c.Check, c.LeakAfter, c.LeakStacks = s.check, 5*ms, 3
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stressEverything(t, change)
		})
	}
}

func stressEverything(t *testing.T, change func(*server, *connpool.Config[*fake])) {
	const maxOpen = 6
	s := newServer(t)
	s.onDial = func(_ context.Context, n int) error {
		if n%5 == 0 {
			return errDown
		}
		return nil
	}
	p := s.pool(func(c *connpool.Config[*fake]) {
		c.MaxOpen = maxOpen
		change(s, c)
	})
	var wg, side sync.WaitGroup
	stop := make(chan struct{})
	var served, hijacked atomic.Uint64
	seeds := connpool.NewRand(t)
	for range 12 {
		rng := split(seeds)
		wg.Go(func() {
			for range long(t, 3000) {
				ctx, cancel := context.Background(), context.CancelFunc(func() {})
				if rng.IntN(3) == 0 {
					ctx, cancel = context.WithTimeout(ctx, time.Duration(rng.IntN(200))*time.Microsecond)
				}
				c, err := p.Acquire(ctx)
				cancel()
				if err != nil {
					if !errors.Is(err, errDown) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, connpool.ErrFull) {
						t.Errorf("unexpected: %v", err)
					}
					continue
				}
				served.Add(1)
				s.use(c, 0)
				switch rng.IntN(50) {
				case 0:
					c.Destroy(errDown)
					c.Release() // deferred, say
				case 1:
					s.hijack(c)
					hijacked.Add(1)
				case 2:
					time.Sleep(10 * time.Microsecond) // real time: the work of a holder
					c.Release()
				default:
					c.Release()
				}
			}
		})
	}
	rng := split(seeds)
	side.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
			}
			switch rng.IntN(6) {
			case 0:
				p.Reset()
			case 1:
				p.Evict(func(i connpool.Info) bool { return i.ID%2 == 0 })
			case 2:
				_ = p.Resize(2 + rng.IntN(maxOpen-1))
			case 3:
				p.Pause()
				p.Resume()
			case 4:
				for _, c := range p.AcquireAllIdle() {
					served.Add(1)
					c.Release()
				}
			case 5:
				if c, err := p.TryAcquire(); err == nil {
					served.Add(1)
					c.Release()
				}
			}
			st := p.Stats()
			if err := p.Validate(); err != nil || st.Open != st.Idle+st.InUse+st.Busy+st.Dialing+st.Closing {
				t.Errorf("%v: %+v", err, st)
			}
			p.Conns()
		}
	})
	wg.Wait()
	close(stop)
	side.Wait()
	s.end(p)
	st := p.Stats()
	require.Equal(t, served.Load()+st.Undelivered, st.Acquires)
	require.Equal(t, hijacked.Load(), st.Hijacked)
	require.LessOrEqual(t, s.n(&s.peak), maxOpen)
	require.Equal(t, st.Closed+st.Hijacked+st.DialErrors, st.Dials)
}

// 20 000 waiters are cancelled while connections return.
func TestCancelStorm(t *testing.T) { synctest.Test(t, cancelStorm) }

func cancelStorm(t *testing.T) {
	s := newServer(t)
	p := s.pool()
	n := 20000
	if testing.Short() {
		n = 2000
	}
	var held []connpool.Conn[*fake]
	for range 4 {
		held = append(held, acquire(t, p))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var got, gone atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			c, err := p.Acquire(ctx)
			if err != nil {
				gone.Add(1)
				return
			}
			got.Add(1)
			s.use(c, 0)
			c.Release()
		})
	}
	synctest.Wait()
	require.Equal(t, n, p.Stats().Waiting)
	wg.Go(cancel)
	for _, c := range held {
		c.Release()
	}
	wg.Wait()
	st := p.Stats()
	require.EqualValues(t, n, got.Load()+gone.Load())
	require.EqualValues(t, gone.Load(), st.Canceled)
	require.EqualValues(t, uint64(got.Load())+4+st.Undelivered, st.Acquires)
	require.Equal(t, 4, st.Idle)
	s.end(p)
	require.Equal(t, 4, s.n(&s.peak))
}

// Close beside everything: nobody hangs, nothing stays open.
func TestStressClose(t *testing.T) {
	for i := range long(t, 300) {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MinIdle, c.Tick = i%3, ms })
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					c, err := p.Acquire(context.Background())
					if err != nil {
						require.ErrorIs(t, err, connpool.ErrClosed)
						return
					}
					s.use(c, 0)
					c.Release()
					if i%8 != 0 { // or Close begins when the scheduler takes turns, 10 ms later
						runtime.Gosched()
					}
				}
			})
		}
		if i%2 == 0 {
			time.Sleep(time.Duration(i%7) * 20 * time.Microsecond) // real time: varies the moment of Close
		}
		wg.Go(func() { _ = p.Close() })
		s.end(p)
		wg.Wait()
	}
}

// The server goes down and comes up while everybody works, in virtual time: the
// pool recovers within a tick and the back-off.
func TestRecoveryAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialTime = ms
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxDialing, c.MinIdle, c.Tick = 2, 2, 100*ms
			c.Check, c.CheckAfterIdle = s.check, 200*ms
			c.Backoff = connpool.Backoff{Min: 10 * ms, Max: 200 * ms}
		})
		var down atomic.Bool
		var ok, bad atomic.Int64
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(5 * ms):
					}
					ctx, cancel := context.WithTimeout(context.Background(), 50*ms)
					err := p.Do(ctx, func(_ context.Context, f *fake) error {
						if !f.held.CompareAndSwap(false, true) {
							t.Error("held twice")
						}
						defer f.held.Store(false)
						time.Sleep(ms)
						if down.Load() || f.broken.Load() {
							f.broken.Store(true)
							return connpool.ErrBadConn
						}
						return nil
					})
					cancel()
					if err == nil {
						ok.Add(1)
					} else {
						bad.Add(1)
					}
				}
			})
		}
		for range 5 {
			time.Sleep(time.Second)
			down.Store(true)
			s.set(func() {
				s.dialErr, s.checkErr = errDown, errDown
				for f := range s.conns {
					f.broken.Store(true)
				}
			})
			time.Sleep(3 * time.Second)
			require.Zero(t, p.Stats().InUse)
			down.Store(false)
			s.set(func() { s.dialErr, s.checkErr = nil, nil })
			time.Sleep(100*ms + 200*ms + 60*ms)
			before := bad.Load()
			was := ok.Load()
			time.Sleep(500 * ms)
			require.Equal(t, before, bad.Load(), "all is well again")
			require.Greater(t, ok.Load(), was+200)
		}
		close(stop)
		wg.Wait()
		s.end(p)
		require.LessOrEqual(t, s.n(&s.peakDial), 2)
		require.LessOrEqual(t, s.n(&s.peak), 4)
	})
}
