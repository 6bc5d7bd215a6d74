package workerpool

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// The last worker finds an empty queue, and goes to sleep, while a submitter that
// saw the queue full has not joined the blocked list yet: it must look once more.
// Holding mu keeps both in that window, unless the submitter has found a place meanwhile.
func TestBlockedSubmitterMeetsAnIdleWorker(t *testing.T) {
	for _, size := range []int{1, 2, 7} {
		p, err := New(Config{MaxWorkers: 1, QueueSize: size, Spin: -1})
		require.NoError(t, err)
		gate, in, ran := make(chan struct{}), make(chan struct{}), make(chan struct{})
		require.NoError(t, p.Submit(func() { close(in); <-gate }))
		<-in
		for range size {
			require.NoError(t, p.Submit(func() {}))
		}
		c := p.c
		c.desk.mu.Lock()
		var found atomic.Bool
		go func() { _ = p.Submit(func() { close(ran) }); found.Store(true) }()
		waitFor(t, "the submitter is about to block", func() bool {
			return c.books.waits.Load() == 1 && c.yielders.Load() == 0
		})
		close(gate)
		waitFor(t, "the worker is about to sleep", func() bool {
			taken, put := c.desk.q.levels[0].ring.counts()
			return (taken == put || found.Load()) && c.desk.crew.ctl.load().active() == 0
		})
		c.desk.mu.Unlock()
		select {
		case <-ran:
		case <-time.After(time.Minute):
			t.Fatal("the blocked submitter was forgotten")
		}
		require.NoError(t, p.Close())
	}
}

// A wake-up that read the limit before it was lowered counts its worker after:
// that worker must end although nobody resizes again.
func TestWorkerAboveALoweredLimitEnds(t *testing.T) {
	p, err := New(Config{MaxWorkers: 1, IdleTimeout: -1})
	require.NoError(t, err)
	gate, in := make(chan struct{}), make(chan struct{})
	require.NoError(t, p.Submit(func() { close(in); <-gate }))
	<-in
	c := p.c
	for s := c.desk.crew.ctl.load(); !c.desk.crew.ctl.cas(s, (s + workerOne).withToken(tokenComing)); s = c.desk.crew.ctl.load() {
	}
	c.desk.crew.hire()
	waitFor(t, "one worker", func() bool { return c.desk.crew.ctl.load().workers() == 1 })
	close(gate)
	require.NoError(t, p.Close())
}

// A goroutine that a task ended by runtime.Goexit must not touch what its
// successor runs: it once cleared that, so that Shutdown did not cancel it.
// Holding the lock that it would need puts it behind its successor.
func TestGoexitDoesNotClearTheSuccessorsTask(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	r := new(running)
	unlock := sync.OnceFunc(r.mu.Unlock)
	second := make(chan struct{})
	exec := func(w *worker[bool], end bool) {
		if end {
			w.now.Store(r)
			w.begin("first", nil, 0)
			w.clearNow()
			r.mu.Lock()
			runtime.Goexit()
		}
		r.task = "second" // as begin does, with the lock that the first left locked
		close(second)
		unlock()
		waitFor(t, "the first goroutine's end", func() bool { return runtime.NumGoroutine() <= goroutines+1 })
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.task != "second" {
			t.Error("the task was taken out of its worker's books while it ran")
		}
	}
	c, err := newCore(Config{MaxWorkers: 1}, kind[bool]{run: exec, drop: func(bool, error) {}})
	require.NoError(t, err)
	require.NoError(t, c.submit(&c.desk.q.levels[0], true))
	require.NoError(t, c.submit(&c.desk.q.levels[0], false))
	select {
	case <-second:
	case <-time.After(time.Second):
		unlock() // the first waits for it before it starts its successor: as good
	}
	require.NoError(t, c.close())
}

// A worker that finds the ring held by one that looks for ended tasks goes to sleep, although
// the ring is full. The worker sleeps beforehand here, and the tasks come unannounced.
func TestWhoLooksForEndedTasksWakesAWorkerAfterwards(t *testing.T) {
	p, err := New(Config{MaxWorkers: 1, QueueSize: 2, Spin: -1})
	require.NoError(t, err)
	c, l, ran := p.c, &p.c.desk.q.levels[0], make(chan struct{}, 2)
	require.NoError(t, p.Submit(func() {}))
	waitFor(t, "the worker sleeps", func() bool { return c.desk.crew.ctl.load().idle() == 1 })
	for range 2 {
		require.Equal(t, putOK, l.ring.put(plain(func() { ran <- struct{}{} }), 0, &c.clock, false))
	}
	c.alert.Or(alertCtx)
	require.False(t, c.weed(l), "nobody's ctx has ended")
	for range 2 {
		select {
		case <-ran:
		case <-time.After(time.Minute):
			t.Fatal("the worker sleeps beside a full queue")
		}
	}
	require.NoError(t, p.Close())
}

// A task that DropOldest would let in is refused by a closing pool and then
// must take nothing out: emptying the queue by the way, it once left Close waiting
// for ever. The token stands for a worker that is searching meanwhile.
func TestDropAtAClosingPool(t *testing.T) {
	p, err := New(Config{MaxWorkers: 1, QueueSize: 1, Overflow: DropOldest})
	require.NoError(t, err)
	c, ran := p.c, false
	require.True(t, c.desk.crew.ctl.cas(0, ctlState(0).withToken(tokenSearch)))
	require.NoError(t, p.Submit(func() { ran = true }))
	closed := make(chan error, 1)
	go func() { closed <- p.Close() }()
	waitFor(t, "Close waits", func() bool { return c.quiets.some.Load() })
	err = c.submitDropping(&c.desk.q.levels[0], plain(func() { t.Error("a refused task ran") }))
	require.ErrorIs(t, err, ErrClosed)
	c.desk.crew.ctl.w.And(^uint64(tokenMask))
	c.desk.kick() // the searcher has gone
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		t.Fatal("Close hangs")
	}
	require.True(t, ran)
	require.Zero(t, p.Stats().Dropped)
}
