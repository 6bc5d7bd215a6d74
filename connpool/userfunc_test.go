package connpool_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// Every way a function can end, of every function of Config: what it is called for
// goes on, nothing is lost, nobody hangs, and each panic and Goexit is counted.
func TestEveryEndOfEveryUserFunction(t *testing.T) {
	boom := errors.New("boom")
	ends := map[string]func() error{
		"error":         func() error { return errDown },
		"panic":         func() error { panic("boom") },
		"error panics":  func() error { panic(boom) },
		"nil panics":    func() error { panic(nil) },
		"runtime panic": func() error { var none []int; return fmt.Errorf("%d", none[len(none)]) },
		"Goexit":        func() error { runtime.Goexit(); return nil },
	}
	functions := map[string]func(*connpool.Config[*fake], func() error){
		"Dial": func(c *connpool.Config[*fake], end func() error) {
			dial := c.Dial
			n := 0
			c.Dial = func(ctx context.Context) (*fake, error) {
				if n++; n == 2 {
					return nil, end()
				}
				return dial(ctx)
			}
		},
		"Close": func(c *connpool.Config[*fake], end func() error) {
			closed := c.Close
			c.Close = func(f *fake) error { _ = closed(f); return end() }
		},
		"Check": func(c *connpool.Config[*fake], end func() error) {
			c.CheckAfterIdle, c.Check = -1, func(context.Context, *fake) error { return end() }
		},
		"Reset": func(c *connpool.Config[*fake], end func() error) {
			c.Reset = func(context.Context, *fake) error { return end() }
		},
		"Bad": func(c *connpool.Config[*fake], end func() error) { c.Bad = func(error) bool { _ = end(); return true } },
		"OnDialed": func(c *connpool.Config[*fake], end func() error) {
			c.OnDialed = func(*fake, connpool.Info) { _ = end() }
		},
		"OnDialFailed": func(c *connpool.Config[*fake], end func() error) { c.OnDialFailed = func(error) { _ = end() } },
		"OnAcquired": func(c *connpool.Config[*fake], end func() error) {
			c.OnAcquired = func(*fake, connpool.Info) { _ = end() }
		},
		"OnReleased": func(c *connpool.Config[*fake], end func() error) {
			c.OnReleased = func(*fake, connpool.Info) { _ = end() }
		},
		"OnCheckFailed": func(c *connpool.Config[*fake], end func() error) {
			c.OnCheckFailed = func(*fake, connpool.Info, error) { _ = end() }
		},
		"OnClosed": func(c *connpool.Config[*fake], end func() error) {
			c.OnClosed = func(*fake, connpool.Info, error) { _ = end() }
		},
		"OnLeaked": func(c *connpool.Config[*fake], end func() error) {
			c.OnLeaked = func(*fake, connpool.Info) { _ = end() }
		},
		"OnBreaker": func(c *connpool.Config[*fake], end func() error) {
			c.OnBreaker = func(connpool.BreakerState) { _ = end() }
		},
	}
	typ := reflect.TypeFor[connpool.Config[*fake]]()
	for i := range typ.NumField() {
		if typ.Field(i).Type.Kind() == reflect.Func {
			require.Contains(t, functions, typ.Field(i).Name)
		}
	}
	for function, set := range functions {
		for how, end := range ends {
			t.Run(function+"/"+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t)
					calls := uint64(0)
					p := s.pool(func(c *connpool.Config[*fake]) {
						c.MaxOpen, c.LeakAfter, c.Tick = 2, time.Second, 250*ms
						c.Breaker = connpool.Breaker{Failures: 1, OpenFor: 100 * ms}
						c.Check, c.CheckAfterIdle = s.check, 5*time.Second
						set(c, func() error { s.set(func() { calls++ }); return end() })
					})
					exercise(t, s, p)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					err := p.Shutdown(ctx)
					require.NotErrorIs(t, err, context.DeadlineExceeded, "nothing is left on loan")
					st := p.Stats()
					require.Zero(t, st.Open)
					require.Zero(t, s.n(&s.slots))
					require.NotZero(t, calls, "the function was called")
					if how == "error" {
						require.Zero(t, st.Panics)
					} else {
						require.Equal(t, calls, st.Panics)
					}
					var pe *connpool.PanicError
					if errors.As(err, &pe) {
						require.Equal(t, "Close", function)
						require.Equal(t, function, pe.Func)
						require.Contains(t, string(pe.Stack), "userfunc_test.go")
					}
				})
			})
		}
	}
}

// exercise makes everything happen that Config has a function for. Each call is made
// in a goroutine of its own, which a Goexit may end.
func exercise(t *testing.T, s *server, p *connpool.Pool[*fake]) {
	apart := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("a panic reached the caller: %v", v)
				}
			}()
			f()
		}()
		<-done
	}
	for i := range 4 {
		apart(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_ = p.Do(ctx, func(context.Context, *fake) error {
				time.Sleep(2 * time.Second) // a leak, or so it seems
				if i == 1 {
					return fmt.Errorf("query: %w", errDown)
				}
				return nil
			})
		})
	}
	// A dial that fails, a breaker that opens and closes, a check that fails.
	s.set(func() { s.dialErr = errDown })
	p.Reset()
	apart(func() { _, _ = p.Acquire(t.Context()) })
	s.set(func() { s.dialErr = nil })
	time.Sleep(time.Second)
	apart(func() { _ = p.Do(t.Context(), func(context.Context, *fake) error { return nil }) })
	time.Sleep(10 * time.Second) // longer than CheckAfterIdle
	s.set(func() { s.checkErr = errDown })
	apart(func() {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = p.Do(ctx, func(context.Context, *fake) error { return nil })
	})
	s.set(func() { s.checkErr = nil })
	time.Sleep(10 * time.Second)
	require.NoError(t, p.Validate())
	require.Zero(t, p.Stats().InUse)
}

// Each event is told, whatever the hook did at the one before.
func TestAHookThatEndsItsGoroutineIsToldOfTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.dialErr = errDown
		leaks, states := 0, []connpool.BreakerState{}
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.LeakAfter, c.Tick = time.Second, 500*ms
			c.Breaker = connpool.Breaker{Failures: 1, OpenFor: time.Second}
			c.OnLeaked = func(*fake, connpool.Info) { s.set(func() { leaks++ }); runtime.Goexit() }
			c.OnBreaker = func(b connpool.BreakerState) { s.set(func() { states = append(states, b) }); runtime.Goexit() }
		})
		_, err := p.Acquire(t.Context())
		require.ErrorIs(t, err, errDown)
		s.set(func() { s.dialErr = nil })
		time.Sleep(time.Second)
		a, b, c := acquire(t, p), acquire(t, p), acquire(t, p)
		time.Sleep(3 * time.Second)
		require.Equal(t, 3, s.n(&leaks))
		synctest.Wait()
		require.Equal(t, []connpool.BreakerState{connpool.BreakerOpen, connpool.BreakerHalfOpen, connpool.BreakerClosed}, states)
		a.Release()
		b.Release()
		c.Release()
		s.end(p)
		require.EqualValues(t, 6, p.Stats().Panics)
	})
}

// What Info says in every hook.
func TestInfoInHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		told := map[string]connpool.State{}
		say := func(hook string, i connpool.Info) { s.set(func() { told[fmt.Sprint(hook, " ", i.Reason)] = i.State }) }
		p := s.pool(func(c *connpool.Config[*fake]) {
			c.MaxOpen, c.Check, c.LeakAfter, c.Tick = 1, s.check, time.Second, 100*ms
			c.OnDialed = func(_ *fake, i connpool.Info) { say("dialed", i) }
			c.OnAcquired = func(_ *fake, i connpool.Info) { say("acquired", i) }
			c.OnReleased = func(_ *fake, i connpool.Info) { say("released", i) }
			c.OnLeaked = func(_ *fake, i connpool.Info) { say("leaked", i) }
			c.OnCheckFailed = func(_ *fake, i connpool.Info, _ error) { say("check failed", i) }
			c.OnClosed = func(_ *fake, i connpool.Info, _ error) { say("closed", i) }
		})
		c := acquire(t, p)
		time.Sleep(2 * time.Second)
		c.Release()
		time.Sleep(10 * time.Second)
		s.set(func() { s.checkErr, s.closeTime = errDown, time.Second })
		acquire(t, p).Release()
		// A dial whose connection comes too late to be wanted.
		s.set(func() { s.checkErr, s.dialTime = nil, time.Second })
		p.Evict(nil)
		synctest.Wait()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), ms)
		defer cancel()
		_, err := p.Acquire(ctx)
		require.Error(t, err)
		p.Reset()
		time.Sleep(1500 * ms)
		require.Equal(t, connpool.StateClosing, p.Conns()[0].State, "it closes")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, map[string]connpool.State{
			"dialed ": connpool.StateIdle, "acquired ": connpool.StateInUse, "released ": connpool.StateInUse, "leaked ": connpool.StateInUse,
			"check failed check": connpool.StateClosing, "closed check": connpool.StateClosing,
			"closed evict": connpool.StateClosing, "closed reset": connpool.StateClosing,
		}, told)
		s.end(p)
	})
}
