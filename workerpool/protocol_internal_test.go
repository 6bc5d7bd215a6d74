package workerpool

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// The last worker finds an empty queue, and goes to sleep, while a submitter that
// saw the queue full has not joined the blocked list yet: it must look once more.
// Holding mu keeps both in that window.
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
		c.mu.Lock()
		go func() { _ = p.Submit(func() { close(ran) }) }()
		await(t, "the submitter is about to block", func() bool {
			return c.books.blocked.Load() == 1 && c.yielders.Load() == 0
		})
		close(gate)
		await(t, "the worker is about to sleep", func() bool {
			taken, put := c.levels[0].ring.counts()
			return taken == put && c.ctl.load().active() == 0
		})
		c.mu.Unlock()
		select {
		case <-ran:
		case <-time.After(10 * time.Second):
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
	for s := c.ctl.load(); !c.ctl.cas(s, (s + workerOne).withToken(tokenComing)); s = c.ctl.load() {
	}
	c.spawn()
	await(t, "one worker", func() bool { return c.ctl.load().workers() == 1 })
	close(gate)
	require.NoError(t, p.Close())
}
