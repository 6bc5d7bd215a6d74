package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/examples/internal/breaker"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/observe"
)

// Money comes before mails, and mails before pictures; what is late is not run, and
// Shutdown runs the rest. A settlement that fails is tried again while others run.
func TestJobsInTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ran []string
		var failures atomic.Int32
		hold := make(chan struct{})
		run := func(_ context.Context, j Job) error {
			if j.Order.Key == "busy" {
				<-hold
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, j.Kind+" "+j.Order.Key)
			if j.Order.Key == "fails" && failures.Add(1) < 4 {
				return errors.New("not now")
			}
			return nil
		}
		since := func() []string { // what ran since the last look
			mu.Lock()
			defer mu.Unlock()
			all := ran
			ran = nil
			return all
		}
		see := &sight{reg: new(observe.Registry)}
		q, err := newPoolQueue(handlers{"mail": run, "thumbnail": run, "settle": run}, slog.New(slog.DiscardHandler), see)
		require.NoError(t, err)
		require.NoError(t, see.err)
		put := func(kind, key string, within time.Duration) {
			require.NoError(t, q.Put(t.Context(), Job{Kind: kind, Order: goods.Order{Key: key}, Within: within}))
		}
		for range 8 { // all workers
			put("mail", "busy", time.Hour)
		}
		synctest.Wait()
		put("thumbnail", "1", time.Hour)
		put("thumbnail", "late", time.Minute)
		put("mail", "1", time.Hour)
		put("mail", "late", time.Minute)
		put("settle", "1", time.Hour)
		time.Sleep(2 * time.Minute)
		hold <- struct{}{} // one worker goes on, so there is an order
		synctest.Wait()
		require.Equal(t, []string{"settle 1", "mail 1", "thumbnail 1"}, since())
		require.EqualValues(t, 2, q.pool.Stats().Timeouts, "late")
		put("settle", "fails", time.Hour)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"settle fails", "settle fails", "settle fails", "settle fails"}, since())
		put("mail", "2", time.Hour)
		close(hold)
		require.NoError(t, q.Shutdown(context.Background()))
		require.Equal(t, []string{"mail 2"}, since())
		require.Error(t, q.Put(t.Context(), Job{Kind: "mail", Within: time.Hour}), "closed")
		require.Error(t, q.Put(t.Context(), Job{Kind: "thumbnail", Within: time.Hour}), "closed")
		require.Error(t, q.Put(t.Context(), Job{Kind: "unknown"}))
	})
}

// Where mails cannot be sent the queue fills up. Who puts a job then is told so, in time
// to tell the customer, and a settlement that was not accepted is in the log.
func TestNoRoomForJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		release := sync.OnceFunc(func() { close(hold) })
		run := func(context.Context, Job) error { <-hold; return nil }
		var log strings.Builder
		see := &sight{reg: new(observe.Registry)}
		q, err := newPoolQueue(handlers{"mail": run, "thumbnail": run, "settle": run}, slog.New(slog.NewTextHandler(&log, nil)), see)
		require.NoError(t, err)
		defer func() { release(); require.NoError(t, q.Shutdown(context.Background())) }()
		put := func(ctx context.Context, kind string, within time.Duration) (time.Duration, error) {
			begin := time.Now()
			err := q.Put(ctx, Job{Kind: kind, Order: goods.Order{Key: "the-key"}, Within: within})
			return time.Since(begin), err
		}
		fill := func(kind string, n int) {
			for range n {
				_, err := put(t.Context(), kind, time.Hour)
				require.NoError(t, err)
			}
			synctest.Wait()
		}
		fill("mail", 8)                                                // all workers
		for _, kind := range []string{"thumbnail", "mail", "settle"} { // each has a queue of its own
			fill(kind, 4096)
		}
		fill("settle", 4) // those that its view lets through to the workers
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		took, err := put(gone, "thumbnail", time.Minute)
		require.ErrorIs(t, err, ErrQueueFull)
		require.Zero(t, took)
		require.Empty(t, log.String(), "nothing is lost by a thumbnail")
		for _, ctx := range []context.Context{t.Context(), gone} {
			took, err = put(ctx, "mail", time.Minute)
			require.ErrorIs(t, err, errNoRoom)
			require.Equal(t, orderTimeout, took)
		}
		took, err = put(t.Context(), "mail", time.Second)
		require.Error(t, err, "of no use any more")
		require.Equal(t, time.Second, took)
		log.Reset()
		took, err = put(gone, "settle", 30*time.Second)
		require.Error(t, err)
		require.Equal(t, 30*time.Second, took)
		require.Contains(t, log.String(), `msg="job not accepted" kind=settle order=the-key`)
	})
}

// The payment service is asked three times at most, and once where it says no.
func TestPaymentAttempts(t *testing.T) {
	var asked, status atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	for answer, want := range map[int]int32{http.StatusOK: 1, http.StatusPaymentRequired: 1, http.StatusInternalServerError: 3} {
		see := &sight{reg: new(observe.Registry)}
		p, err := newPayment(server.URL, see)
		require.NoError(t, err)
		asked.Store(0)
		status.Store(int32(answer))
		err = p.charge(t.Context(), goods.Order{Key: "k", Cents: 1})
		require.Equal(t, want, asked.Load(), answer)
		require.Equal(t, answer == http.StatusOK, err == nil, answer)
		require.Equal(t, answer == http.StatusPaymentRequired, errors.Is(err, errDeclined), answer)
		require.NotErrorIs(t, err, breaker.ErrOpen)
		if err != nil && !errors.Is(err, errDeclined) { // three failures; two more open the breaker
			err = p.charge(t.Context(), goods.Order{Key: "k", Cents: 1})
			require.Equal(t, int32(5), asked.Load())
			require.ErrorContains(t, err, "no further attempt: the circuit breaker opened")
			require.NotErrorIs(t, err, breaker.ErrOpen, "somebody was asked")
			require.ErrorIs(t, p.charge(t.Context(), goods.Order{Key: "k", Cents: 1}), breaker.ErrOpen, "nobody was")
			require.Equal(t, int32(5), asked.Load())
		}
		require.NoError(t, p.close(t.Context()))
	}
}
