package workerpool_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

// chaos counts what became of the submissions of one producer.
type chaos struct {
	rng      *rand.Rand
	p        *workerpool.Pool
	views    []*workerpool.View // nil for none
	group    *workerpool.Group
	levels   int
	accepted uint64 // plain tasks
	ran      *atomic.Uint64
	futures  []*workerpool.Future[int]
	starts   []*atomic.Int32 // of the futures' tasks
	grouped  int
}

// step submits a task of any kind with any end; it returns false once the pool is
// closed.
func (c *chaos) step(t *testing.T) bool {
	how := ending(c.rng.IntN(6))
	body := func() error {
		switch how {
		case fails:
			return errBoom
		case panics:
			panic(errBoom)
		case goexits:
			runtime.Goexit()
		}
		return nil
	}
	ctx, cancel := context.WithCancel(bg)
	defer cancel() // some are canceled in the queue
	opts := []workerpool.TaskOption{workerpool.WithPriority(c.rng.IntN(c.levels))}
	v := c.views[c.rng.IntN(len(c.views))]
	if v != nil {
		opts = append(opts, workerpool.WithView(v))
	}
	switch k := kind(c.rng.IntN(4)); k {
	case plain:
		submit := c.p.Submit
		if v != nil {
			submit = v.Submit
		}
		err := submit(func() { c.ran.Add(1); _ = body() })
		if err != nil && err != workerpool.ErrFull {
			require.ErrorIs(t, err, workerpool.ErrClosed)
			return false
		}
		if err == nil {
			c.accepted++
		}
	case future:
		started := new(atomic.Int32)
		fctx := bg
		if c.rng.IntN(4) == 0 {
			fctx = ctx
		}
		c.futures = append(c.futures, workerpool.Go(fctx, c.p, func(context.Context) (int, error) {
			started.Add(1)
			return 0, body()
		}, opts...))
		c.starts = append(c.starts, started)
	case do:
		ran := false
		err := c.p.Do(bg, workerpool.Task{Priority: c.rng.IntN(c.levels), Run: func(context.Context) error {
			ran = true
			return body()
		}})
		if errors.Is(err, workerpool.ErrClosed) {
			require.False(t, ran)
			return false
		}
		require.True(t, ran || errors.Is(err, workerpool.ErrDropped), "%v", err)
	case grouped:
		c.grouped++
		c.group.Go(func(context.Context) error { return body() }, opts...)
	}
	return true
}

// check waits for what is left and returns how often plain tasks were accepted.
func (c *chaos) check(t *testing.T) uint64 {
	for i, fut := range c.futures {
		_, err := fut.Wait(bg)
		var pe *workerpool.PanicError
		ran := err == nil || errors.Is(err, errBoom) || errors.As(err, &pe) || errors.Is(err, workerpool.ErrGoexit)
		want := int32(0)
		if ran {
			want = 1
		}
		require.Equal(t, want, c.starts[i].Load(), "runs of a task that ended with %v", err)
	}
	if err := c.group.Wait(); err != nil {
		require.LessOrEqual(t, len(err.(interface{ Unwrap() []error }).Unwrap()), c.grouped)
	}
	return c.accepted
}

// Tasks of all kinds and ends, through views and with priorities, from several
// sides at once, beside Pause, Resize, Stats and at last Close or a Shutdown that
// expires: everything accepted runs once or ends as documented, the books balance,
// nothing hangs.
func TestEverythingAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, cfg workerpool.Config) {
		cfg.OnPanic = func(*workerpool.PanicError) {}
		for round := range scaled(8) {
			seed := uint64(time.Now().UnixNano())
			t.Log("seed", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			cfg.Overflow = []workerpool.Overflow{workerpool.Block, workerpool.Reject, workerpool.DropOldest}[rng.IntN(3)]
			cfg.Priorities = 1 + rng.IntN(3)
			if cfg.QueueSize == workerpool.NoQueue {
				cfg.Overflow, cfg.Priorities = cfg.Overflow%2, 1
			}
			p := newPool(t, cfg)
			views := []*workerpool.View{nil, p.Limit(1), p.Limit(2)}
			var ran atomic.Uint64
			var producers, meddler sync.WaitGroup
			all := make([]*chaos, 3)
			for i := range all {
				c := &chaos{
					rng: rand.New(rand.NewPCG(seed, uint64(i+1))), p: p, views: views,
					group: p.Group(bg), levels: cfg.Priorities, ran: &ran,
				}
				all[i] = c
				producers.Go(func() {
					for n := 0; n < 60 && c.step(t); n++ {
					}
				})
			}
			meddler.Go(func() {
				for range 10 {
					now, cancel := context.WithCancel(bg)
					cancel()
					_ = p.Pause(now)
					checkSnapshot(t, p.Stats())
					_ = p.Resize(0, 1+rng.IntN(cfg.MaxWorkers))
					p.Resume()
					runtime.Gosched()
				}
			})
			if round%2 == 0 {
				producers.Wait()
			}
			ctx, cancel := context.WithCancel(bg)
			if round%4 < 2 {
				cancel()
			}
			_ = p.Shutdown(ctx)
			producers.Wait()
			meddler.Wait()
			require.NoError(t, p.Close())
			cancel()
			var accepted uint64
			for _, c := range all {
				accepted += c.check(t)
			}
			st := closeAndCheck(t, p)
			dropped := st.Dropped
			for _, v := range views[1:] {
				vs := v.Stats()
				require.Zero(t, vs.Running+vs.Queued+vs.Waiters, "%+v", vs)
				dropped += vs.Dropped
			}
			require.LessOrEqual(t, ran.Load(), accepted)
			require.LessOrEqual(t, accepted, ran.Load()+dropped, "%+v", st)
		}
	})
}
