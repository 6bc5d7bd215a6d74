package integration

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/connpool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// times is how often a scenario repeats its fault.
func times(n int) int {
	if os.Getenv("POUNDLOCK_LONG") != "" {
		return 10 * n
	}
	return n
}

const (
	maxOpen    = 6
	maxDialing = 2
	tick       = 50 * time.Millisecond
	longest    = 100 * time.Millisecond // of the back-off
	// slack is what a loaded machine may add to a limit of time.
	slack = 2 * time.Second
)

// rig is a pool of a backend's connections through a proxy, with counters of its
// own beside the pool's.
type rig struct {
	t       *testing.T
	pool    *connpool.Pool[client]
	proxy   *proxy
	b       backend
	open    atomic.Int64 // from the begin of a dial to the end of a close
	peak    atomic.Int64
	dialing atomic.Int64
	peakDl  atomic.Int64
}

func newRig(t *testing.T, b backend, change func(*connpool.Config[client])) *rig {
	r := &rig{t: t, b: b, proxy: newProxy(t, b.addr(t))}
	cfg := connpool.Config[client]{
		Name: b.name,
		Dial: r.dial,
		Close: func(c client) error {
			err := c.Close()
			r.open.Add(-1)
			return err
		},
		Check:   func(ctx context.Context, c client) error { return c.ask(ctx) },
		MaxOpen: maxOpen, MaxDialing: maxDialing, MinIdle: 1,
		CheckAfterIdle: tick, CheckTimeout: 500 * time.Millisecond, DialTimeout: 2 * time.Second,
		Tick:    tick,
		Backoff: connpool.Backoff{Min: 10 * time.Millisecond, Max: longest},
	}
	if change != nil {
		change(&cfg)
	}
	p, err := connpool.New(cfg)
	require.NoError(t, err)
	r.pool = p
	return r
}

func raise(peak *atomic.Int64, n int64) {
	for m := peak.Load(); n > m && !peak.CompareAndSwap(m, n); m = peak.Load() {
	}
}

func (r *rig) dial(ctx context.Context) (client, error) {
	raise(&r.peak, r.open.Add(1))
	raise(&r.peakDl, r.dialing.Add(1))
	defer r.dialing.Add(-1)
	c, err := r.b.dial(ctx, r.proxy.addr)
	if err != nil {
		r.open.Add(-1)
		return nil, err
	}
	return c, nil
}

// ask makes one request, within a time.
func (r *rig) ask(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return r.pool.Do(ctx, func(ctx context.Context, c client) error {
		err := c.ask(ctx)
		if err != nil {
			return errors.Join(connpool.ErrBadConn, err)
		}
		return nil
	})
}

// end closes the pool and checks that its books and ours agree.
func (r *rig) end() {
	r.t.Helper()
	require.NoError(r.t, r.pool.Close())
	s := r.pool.Stats()
	require.Zero(r.t, s.Open)
	require.Zero(r.t, r.open.Load(), "connections that nobody closed")
	require.Equal(r.t, s.Dials, s.DialErrors+s.Closed, "every connection dialed was closed: %+v", s)
	require.Equal(r.t, s.Acquires, s.Hits+s.Misses)
	require.LessOrEqual(r.t, r.peak.Load(), int64(maxOpen))
	require.LessOrEqual(r.t, r.peakDl.Load(), int64(maxDialing))
	require.Zero(r.t, s.Panics)
}

// load asks from n goroutines until stopped, and calls back with each outcome.
func (r *rig) load(n int, got func(error)) (stop func()) {
	var wg sync.WaitGroup
	quit := make(chan struct{})
	for range n {
		wg.Go(func() {
			for {
				select {
				case <-quit:
					return
				default:
				}
				got(r.ask(time.Second))
				runtime.Gosched()
			}
		})
	}
	return func() { close(quit); wg.Wait() }
}

// within waits until ok, and returns how long it took.
func within(t *testing.T, d time.Duration, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > d {
			t.Fatalf("not within %v", d)
		}
		<-time.After(time.Millisecond)
	}
	return time.Since(begin)
}

// recovered waits until calls succeed in a row, which must be soon.
func (r *rig) recovered(row *atomic.Int64) {
	r.t.Helper()
	row.Store(0)
	took := within(r.t, tick+longest+slack, func() bool { return row.Load() > 30 })
	r.t.Logf("recovered after %v", took.Round(time.Millisecond))
}

func TestServerRestartedUnderLoad(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		r := newRig(t, b, nil)
		var row, bad atomic.Int64
		stop := r.load(16, func(err error) {
			if err == nil {
				row.Add(1)
				return
			}
			bad.Add(1)
			row.Store(0)
			if strings.Contains(err.Error(), "another's answer") {
				t.Error(err)
			}
		})
		r.recovered(&row)
		for range times(3) {
			r.proxy.down()
			was := bad.Load()
			within(t, slack, func() bool { return bad.Load() > was+20 })
			within(t, slack, func() bool { return r.proxy.open() == 0 })
			r.proxy.up()
			r.recovered(&row)
		}
		if dir := os.Getenv("POUNDLOCK_SERVERS"); dir != "" && !b.local {
			out, err := exec.Command("./servers.sh", "restart", dir, b.name).CombinedOutput()
			require.NoError(t, err, string(out))
			r.recovered(&row)
		}
		stop()
		r.end()
	})
}

func TestConnsResetWhileIdle(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		r := newRig(t, b, func(c *connpool.Config[client]) { c.LeakAfter = tick })
		for range times(3) {
			require.NoError(t, r.pool.Warm(context.Background(), maxOpen))
			within(t, slack, func() bool {
				for _, c := range r.pool.Conns() {
					if c.State != connpool.StateIdle || c.Idle < tick {
						return false
					}
				}
				return true
			})
			// The janitor marks what has idled so long for a check, when it comes: on a
			// loaded machine at any time. It has been there once it calls a loan that
			// begins now a leak.
			held, err := r.pool.Acquire(context.Background())
			require.NoError(t, err)
			within(t, slack, func() bool { return held.Info().Leaked })
			r.proxy.reset()
			held.Destroy(errReset)
			for range 2 * maxOpen {
				require.NoError(t, r.ask(slack), "a dead connection was lent")
			}
		}
		require.NotZero(t, r.pool.Stats().CheckFailures)
		r.end()
	})
}

var errReset = errors.New("reset while on loan")

func TestBlackHoledPeer(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		r := newRig(t, b, func(c *connpool.Config[client]) { c.DialTimeout = 200 * time.Millisecond })
		for range times(1) {
			require.NoError(t, r.ask(slack))
			r.proxy.blackHole(true)
			begin := time.Now()
			for range 5 {
				require.Error(t, r.ask(100*time.Millisecond))
			}
			require.Less(t, time.Since(begin), 500*time.Millisecond+slack, "each call ends with its ctx")
			r.proxy.blackHole(false)
			within(t, 500*time.Millisecond+tick+longest+slack, func() bool { return r.ask(time.Second) == nil })
		}
		r.end()
	})
}

func TestDialErrorsInBursts(t *testing.T) {
	r := newRig(t, backends()[0], nil)
	var row atomic.Int64
	stop := r.load(16, func(err error) {
		if err != nil {
			row.Store(0)
			return
		}
		row.Add(1)
	})
	for range times(5) {
		r.proxy.set(func() { r.proxy.refuse = 10 })
		r.proxy.reset()
		within(t, slack, func() bool {
			left := 0
			r.proxy.set(func() { left = r.proxy.refuse })
			return left == 0
		})
		r.recovered(&row)
	}
	stop()
	require.GreaterOrEqual(t, r.pool.Stats().DialErrors, uint64(50))
	r.end()
}

// A dial takes 5 s: returned connections serve those who wait for it, nobody waits
// longer than for these, and in the end it is not lost.
func TestSlowDials(t *testing.T) {
	slow := 5 * time.Second
	if testing.Short() {
		slow /= 10
	}
	r := newRig(t, backends()[0], func(c *connpool.Config[client]) { c.MinIdle, c.DialTimeout = 0, 2*slow })
	require.NoError(t, r.ask(slack))
	r.proxy.set(func() { r.proxy.delay = slow })
	begin := time.Now()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := r.ask(slow); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Less(t, time.Since(begin), slow, "one connection served all before the first dial ended")
	// One more than there is now needs a dial, of which some are under way.
	conns := make([]connpool.Conn[client], 1+maxDialing)
	for i := range conns {
		wg.Go(func() {
			c, err := r.pool.Acquire(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			conns[i] = c
		})
	}
	wg.Wait()
	took := time.Since(begin)
	require.False(t, t.Failed())
	for _, c := range conns {
		c.Release()
	}
	require.GreaterOrEqual(t, took, slow)
	require.Less(t, took, slow+slack)
	s := r.pool.Stats()
	require.GreaterOrEqual(t, s.DialTime.Max, slow)
	require.Zero(t, s.DialErrors)
	r.end()
}

func TestManyWaitersCancelledWhileConnsReturn(t *testing.T) {
	n := 20000
	if testing.Short() {
		n = 2000
	}
	r := newRig(t, backends()[0], nil)
	ctx, cancel := context.WithCancel(context.Background())
	var held []connpool.Conn[client]
	for range maxOpen {
		c, err := r.pool.Acquire(ctx)
		require.NoError(t, err)
		held = append(held, c)
	}
	var got, gone atomic.Uint64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			c, err := r.pool.Acquire(ctx)
			if err != nil {
				gone.Add(1)
				return
			}
			got.Add(1)
			c.Release()
		})
	}
	within(t, 20*time.Second, func() bool { return r.pool.Stats().Waiting == n })
	wg.Go(cancel)
	for _, c := range held {
		c.Release()
	}
	wg.Wait()
	s := r.pool.Stats()
	require.EqualValues(t, n, got.Load()+gone.Load())
	require.Equal(t, got.Load()+maxOpen+s.Undelivered, s.Acquires)
	require.Equal(t, gone.Load(), s.Canceled)
	for range maxOpen {
		require.NoError(t, r.ask(slack))
	}
	r.end()
}
