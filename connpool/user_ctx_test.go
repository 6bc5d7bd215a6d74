package connpool_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

var bg = context.Background()

// endingCtx is a ctx of a user's own whose Value does not return once on is set.
type endingCtx struct {
	context.Context
	on  atomic.Bool
	end func()
}

func (c *endingCtx) Value(key any) any {
	if c.on.Load() {
		c.end()
	}
	return c.Context.Value(key)
}

// endingCause is the cause of a ctx's end, whose Is does not return.
type endingCause struct{ end func() }

func (c *endingCause) Error() string { return "cause" }

func (c *endingCause) Is(error) bool {
	c.end()
	return false
}

// Whatever the methods of a ctx and of its cause do, the call with it is the only one
// that notices: the pool goes on, and no connection is lost.
func TestCtxWhoseMethodsDoNotReturn(t *testing.T) {
	use := func(context.Context, *fake) error { return nil }
	for how, f := range map[string]func(){"panics": func() { panic("method") }, "Goexits": runtime.Goexit} {
		// Each returns a ctx of that kind, what makes its methods not return, and what ends it.
		for method, newCtx := range map[string]func() (ctx context.Context, arm, end func()){
			"Value": func() (context.Context, func(), func()) {
				inner, cancel := context.WithCancel(bg)
				c := &endingCtx{Context: inner, end: f}
				return c, func() { c.on.Store(true) }, cancel
			},
			"Is": func() (context.Context, func(), func()) {
				ctx, cancel := context.WithCancelCause(bg)
				return ctx, func() {}, func() { cancel(&endingCause{f}) }
			},
		} {
			for name, call := range map[string]func(ctx context.Context, p *connpool.Pool[*fake], arm, end func()){
				"Acquire, ended before": func(ctx context.Context, p *connpool.Pool[*fake], arm, end func()) {
					arm()
					end()
					_, _ = p.Acquire(ctx)
				},
				"Acquire": func(ctx context.Context, p *connpool.Pool[*fake], arm, end func()) {
					c, err := p.Acquire(bg)
					if err != nil {
						panic(err)
					}
					defer c.Release()
					time.AfterFunc(time.Second, func() { arm(); end() })
					_, _ = p.Acquire(ctx)
				},
				"Do": func(ctx context.Context, p *connpool.Pool[*fake], arm, end func()) {
					defer end()
					arm()
					_ = p.Do(ctx, use)
				},
				"Warm": func(ctx context.Context, p *connpool.Pool[*fake], arm, end func()) {
					p.Pause()
					defer p.Resume()
					time.AfterFunc(time.Second, func() { arm(); end() })
					_ = p.Warm(ctx, 1)
				},
				"Shutdown": func(ctx context.Context, p *connpool.Pool[*fake], arm, end func()) {
					c, err := p.Acquire(bg)
					if err != nil {
						panic(err)
					}
					defer c.Release()
					time.AfterFunc(time.Second, func() { arm(); end() })
					_ = p.Shutdown(ctx)
				},
			} {
				t.Run(name+"/"+method+" "+how, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := newServer(t)
						cfg := s.config()
						cfg.MaxOpen = 1
						p := connpool.Must(connpool.New(cfg))
						ctx, arm, end := newCtx()
						defer end()
						over := make(chan struct{})
						go func() {
							defer close(over)
							defer func() { _ = recover() }()
							call(ctx, p, arm, end)
						}()
						<-over
						if err := p.Do(bg, use); err != nil {
							require.ErrorIs(t, err, connpool.ErrClosed)
							require.Equal(t, "Shutdown", name)
						}
						require.Zero(t, p.Stats().InUse+p.Stats().Waiting)
						require.NoError(t, p.Close())
					})
				})
			}
		}
	}
}

// An error of Dial or Close is a value of the user's, whose text may ask the pool itself.
func TestErrorThatAsksThePool(t *testing.T) {
	s := newServer(t)
	var p *connpool.Pool[*fake]
	asks := askingError(func() { _ = p.Stats() })
	cfg := s.config()
	dial, closed := cfg.Dial, cfg.Close
	n := 0
	cfg.MaxOpen = 1
	cfg.Dial = func(ctx context.Context) (*fake, error) {
		if n++; n == 1 {
			return nil, asks
		}
		return dial(ctx)
	}
	cfg.Close = func(c *fake) error { _ = closed(c); return asks }
	p = connpool.Must(connpool.New(cfg))
	within(t, func() {
		_, err := p.Acquire(bg)
		require.ErrorIs(t, err, asks)
		require.ErrorContains(t, err, "dial: asks")
		require.NoError(t, p.Do(bg, func(context.Context, *fake) error { return nil }))
		err = p.Close()
		require.ErrorIs(t, err, asks)
		require.EqualError(t, err, "connpool: close: asks")
	})
}

type asker struct{ ask func() }

func askingError(ask func()) error { return &asker{ask} }

func (a *asker) Error() string {
	a.ask()
	return "asks"
}

// askingKey is a key whose text asks the Keyed itself.
type askingKey struct{ ask *func() }

func (k askingKey) String() string {
	(*k.ask)()
	return "key"
}

func TestKeyThatAsksTheKeyed(t *testing.T) {
	s := newServer(t)
	cfg := s.config()
	dial := cfg.Dial
	cfg.Dial = nil
	ask := func() {}
	k := connpool.Must(connpool.NewKeyed(connpool.KeyedConfig[askingKey, *fake]{
		MaxTotal: 1, Pool: cfg,
		Dial: func(ctx context.Context, _ askingKey) (*fake, error) { return dial(ctx) },
	}))
	within(t, func() {
		c, err := k.Acquire(bg, askingKey{&ask})
		require.NoError(t, err)
		other := func() {}
		ask = func() { _, _ = k.TryAcquire(askingKey{&other}) }
		ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
		defer cancel()
		_, err = k.Acquire(ctx, askingKey{&ask})
		var e *connpool.WaitError
		require.ErrorAs(t, err, &e)
		require.Equal(t, []connpool.KeyShare{{Key: "key", Open: 1}}, e.Shares)
		c.Release()
		require.NoError(t, k.Close())
	})
}

// within fails if f, which may hang, takes longer than a minute.
func within(t *testing.T, f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		f()
	}()
	select {
	case <-over:
	case <-time.After(time.Minute):
		t.Fatal("hangs")
	}
}

// If OnAcquired ends the goroutine of an AcquireAllIdle, nobody has the other
// connections that it was about to return: they are idle again.
func TestAcquireAllIdleWhoseHookGoexits(t *testing.T) {
	for _, nth := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			cfg := s.config()
			cfg.MaxOpen = 3
			n, at := 0, 0
			cfg.OnAcquired = func(*fake, connpool.Info) {
				if n++; n == at {
					runtime.Goexit()
				}
			}
			p := connpool.Must(connpool.New(cfg))
			require.NoError(t, p.Warm(bg, 3))
			n, at = 0, nth
			over := make(chan struct{})
			go func() {
				defer close(over)
				p.AcquireAllIdle()
			}()
			<-over
			synctest.Wait()
			st := p.Stats()
			require.Zero(t, st.InUse)
			require.Equal(t, 2, st.Idle, "the hook's own is closed")
			require.NoError(t, p.Close())
		})
	}
}
