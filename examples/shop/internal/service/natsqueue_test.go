package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/jetstream"
	"github.com/poundlock/poundlock/jetstream/embedded"
)

// startNATS starts a server that ends with the test.
func startNATS(t *testing.T) (url string) {
	srv, err := embedded.Start(t.Context(), embedded.Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	return srv.URL()
}

// openQueue is a process' part of the queue.
func openQueue(t *testing.T, url string, handle func(context.Context, Job) error) *natsQueue {
	t.Helper()
	// No job of a test comes back because a process is silent for so long.
	cfg := Config{Queue: url, JobWait: time.Hour, Log: slog.New(slog.DiscardHandler)}
	cfg.setDefaults()
	see, err := newSight(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, see.close(context.Background())) })
	q, err := newNATSQueue(t.Context(), cfg, handlers{"mail": handle, "thumbnail": handle, "settle": handle}, see)
	require.NoError(t, err)
	require.NoError(t, see.err)
	return q
}

// ledger is what handlers did: how often, by job.
type ledger struct {
	mu    sync.Mutex
	times map[Job]int
}

func (l *ledger) enter(_ context.Context, j Job) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == nil {
		l.times = map[Job]int{}
	}
	l.times[j]++
	return nil
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.times)
}

// putJobs puts n jobs of each kind.
func putJobs(t *testing.T, q Queue, n int64) (all []Job) {
	t.Helper()
	for _, kind := range []string{"thumbnail", "mail", "settle"} {
		for i := range n {
			j := Job{Kind: kind, ID: i, Order: goods.Order{Key: fmt.Sprint("ordered-", i), Product: i}, Within: time.Minute}
			require.NoError(t, q.Put(t.Context(), j))
			all = append(all, j)
		}
	}
	return all
}

func TestJobsOutliveTheProcess(t *testing.T) {
	url := startNATS(t)
	var began atomic.Int64
	first := openQueue(t, url, func(ctx context.Context, _ Job) error {
		began.Add(1)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	want := putJobs(t, first, 30)
	eventually(t, func() bool { return began.Load() == 8 }) // all workers are stuck
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, first.Shutdown(ctx), context.DeadlineExceeded)
	require.EqualValues(t, 8, began.Load())

	var done ledger
	second := openQueue(t, url, done.enter)
	eventually(t, func() bool { return done.len() >= len(want) }) // and not after JobWait
	require.NoError(t, second.Shutdown(t.Context()))
	for _, j := range want {
		require.NotZero(t, done.times[j], j)
	}
	require.Len(t, done.times, len(want))

	third := openQueue(t, url, done.enter)
	require.NoError(t, third.Put(t.Context(), Job{Kind: "mail", ID: -1, Within: time.Minute}))
	eventually(t, func() bool { return done.len() == len(want)+1 })
	require.NoError(t, third.Shutdown(t.Context()))
	var again uint64
	for _, w := range third.workers {
		again += w.Stats().Fetched
	}
	require.EqualValues(t, 1, again, "what was done does not come back")
}

// Shutdown waits for what runs, and hands back what does not.
func TestShutdownHandsJobsBack(t *testing.T) {
	url := startNATS(t)
	var began, done ledger
	release := make(chan struct{})
	first := openQueue(t, url, func(ctx context.Context, j Job) error {
		_ = began.enter(ctx, j)
		<-release
		return done.enter(ctx, j)
	})
	want := putJobs(t, first, 10)
	eventually(t, func() bool { return began.len() == 8 })
	ended := make(chan error)
	go func() { ended <- first.Shutdown(context.Background()) }()

	// The others run elsewhere while the first process is not even done.
	var others ledger
	second := openQueue(t, url, others.enter)
	eventually(t, func() bool { return others.len() == len(want)-8 })
	close(release)
	require.NoError(t, <-ended)
	require.NoError(t, second.Shutdown(context.Background()))
	for _, j := range want {
		require.Equal(t, 1, done.times[j]+others.times[j], j)
	}
	require.ErrorContains(t, second.Put(t.Context(), want[len(want)-1]), "closed")
}

// Orders whose keys differ in blanks get a mail each, and an order that is asked for again
// gets no other.
func TestAMailForEachOrder(t *testing.T) {
	var done ledger
	q := openQueue(t, startNATS(t), done.enter)
	keys := []string{"ordered-1", "ordered-1 ", " ordered-1", "ordered-1\n", "ordered 1", "ordered\n1"}
	for range 2 {
		for _, key := range keys {
			require.NoError(t, q.Put(t.Context(), Job{Kind: "mail", Order: goods.Order{Key: key}, Within: time.Minute}), "%q", key)
		}
	}
	eventually(t, func() bool { return done.len() >= len(keys) })
	require.NoError(t, q.Shutdown(t.Context()))
	require.Len(t, done.times, len(keys))
	for j, n := range done.times {
		require.Equal(t, 1, n, "%q", j.Order.Key)
	}
}

// A job that fails runs again until it is late; a settlement is never late.
func TestLateJobs(t *testing.T) {
	var tried [2]atomic.Int64
	q := openQueue(t, startNATS(t), func(_ context.Context, j Job) error {
		if n := tried[j.ID].Add(1); j.ID == 1 && n == 3 {
			return nil
		}
		return errors.New("not now")
	})
	require.NoError(t, q.Put(t.Context(), Job{Kind: "mail", ID: 0, Within: 200 * time.Millisecond}))
	require.NoError(t, q.Put(t.Context(), Job{Kind: "settle", ID: 1, Within: time.Nanosecond}))
	require.Error(t, q.Put(t.Context(), Job{Kind: "unheard of"}))
	eventually(t, func() bool {
		var ended, acked uint64
		for _, w := range q.workers {
			ended += w.Stats().Terminated
			acked += w.Stats().Acked
		}
		return ended == 1 && acked == 1
	})
	require.NoError(t, q.Shutdown(t.Context()))
	require.NotZero(t, tried[0].Load())
	require.EqualValues(t, 3, tried[1].Load())
}

// The money of an order that was not taken is given back by another process.
func TestASettlementOutlivesTheShop(t *testing.T) {
	url := startNATS(t)
	b := newBench(t, func(cfg *Config) { cfg.Queue = url })
	b.pay.BlackHole(true)
	b.store.down.Store(true)
	status, _ := b.call("POST", "/orders", order("charged-unseen", 2, 1))
	require.Equal(t, http.StatusServiceUnavailable, status)
	eventually(t, func() bool {
		return slices.ContainsFunc(b.shop.jobs.(*natsQueue).workers, func(w *jetstream.Worker) bool { return w.Stats().Failed > 0 })
	})
	require.Len(t, b.pay.Charged(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, b.shop.Shutdown(ctx))
	require.Len(t, b.pay.Charged(), 1)
	b.pay.BlackHole(false)
	b.store.down.Store(false)

	var err error
	b.shop, err = New(t.Context(), b.shop.cfg)
	require.NoError(t, err)
	b.balanced(2)
	require.Empty(t, b.pay.Charged())
	status, _ = b.call("POST", "/orders", order("taken-order", 2, 1))
	require.Equal(t, http.StatusCreated, status)
}

func TestAQueueThatIsNotThere(t *testing.T) {
	cfg := Config{Store: goods.NewMemory(1, 1), Redis: []string{"127.0.0.1:1"}, Payment: "http://127.0.0.1:1", Log: slog.New(slog.DiscardHandler)}
	for addr, want := range map[string]string{
		"nats://127.0.0.1:1":         "-queue: nats: no servers available",
		"http://127.0.0.1:1":         "-queue: nats: no servers available",
		"nats://user:secret@host:xx": "-queue: invalid port",
	} {
		cfg.Queue = addr
		_, err := New(t.Context(), cfg)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}
