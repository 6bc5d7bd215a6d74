package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/jetstream"
)

// In a batch the named messages fail and the others are done. An error without
// names, a panic, a Goexit and a wrong index fail the batch as a whole.
func TestABatchFailsInPartOrAsAWhole(t *testing.T) {
	for _, keys := range []int{0, 3} {
		t.Run(fmt.Sprint("keys=", keys), func(t *testing.T) {
			r := start(t)
			const n = 120
			cfg := r.queue(n, keys, 30*time.Second)
			cfg.Handle, cfg.MaxBatch, cfg.Workers = nil, 10, 2
			cfg.Linger = time.Millisecond
			if keys > 0 {
				cfg.Key = (*jetstream.Delivery).Key
			}
			var mu sync.Mutex
			done, calls := map[string]int{}, 0
			cfg.HandleBatch = func(_ context.Context, ds []*jetstream.Delivery) error {
				mu.Lock()
				calls++
				call := calls
				mu.Unlock()
				if len(ds) == 0 || len(ds) > 10 {
					t.Errorf("batch of %d", len(ds))
				}
				for _, d := range ds {
					if d.Key() != ds[0].Key() {
						t.Error("two keys in a batch")
					}
				}
				switch call {
				case 1:
					return errors.New("all")
				case 2:
					panic("all")
				case 3:
					runtime.Goexit()
				case 4:
					var bad batchchan.ItemErrors
					bad.Fail(len(ds), errors.New("nobody"))
					return bad.Err()
				}
				var bad batchchan.ItemErrors
				for i, d := range ds {
					id, _ := strconv.Atoi(string(d.Data))
					switch {
					case id%10 == 3 && d.Delivered < 5:
						bad.Fail(i, errors.New("again"))
					case id == 7:
						bad.Fail(i, fmt.Errorf("%w: poison", jetstream.ErrTerminal))
					default:
						mu.Lock()
						done[string(d.Data)]++
						mu.Unlock()
					}
				}
				return bad.Err()
			}
			w := r.worker(cfg)
			r.drained("S")
			require.NoError(t, w.Close())
			for i := range n {
				want := 1
				if i == 7 {
					want = 0
				}
				require.Equal(t, want, done[strconv.Itoa(i)], "message %d", i)
			}
			s := w.Stats()
			balanced(t, s)
			require.EqualValues(t, n-1, s.Acked)
			require.EqualValues(t, 1, s.Terminated)
			require.EqualValues(t, 1, s.Panics)
			require.EqualValues(t, calls, s.Calls)
		})
	}
}

// An expired Shutdown cancels the batch that runs and hands back the one that
// waits.
func TestShutdownOfBatches(t *testing.T) {
	r := start(t)
	cfg := r.queue(8, 0, time.Minute)
	cfg.MaxBatch = 4
	started := make(chan int, 8)
	cfg.HandleBatch = func(ctx context.Context, ds []*jetstream.Delivery) error {
		started <- len(ds)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	w := r.worker(cfg)
	n := <-started
	require.Eventually(t, func() bool { return w.Stats().Waiting == 8-n }, patience, time.Millisecond)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	require.ErrorIs(t, w.Shutdown(ctx), cause)
	s := w.Stats()
	balanced(t, s)
	require.EqualValues(t, n, s.Failed)
	require.EqualValues(t, 8-n, s.Returned)
}

// An OnError that ends its goroutine ends no more than that: each message of the batch has
// its end, and what was given up before the call does not keep the others from it.
func TestABatchWhoseOnErrorEndsItsGoroutine(t *testing.T) {
	r := start(t)
	cfg := r.queue(1, 0, time.Minute)
	r.steal("S", "c", 2)
	p := r.publisher(jetstream.PublisherConfig{})
	for i := 1; i <= 5; i++ {
		require.NoError(t, p.Send(within(t), "s.x", jetstream.Message{Data: []byte(strconv.Itoa(i))}))
	}
	require.NoError(t, p.Flush(within(t)))
	cfg.MaxBatch, cfg.Ahead, cfg.Linger, cfg.MaxDeliver = 6, -1, 100*time.Millisecond, 2
	var told atomic.Int32
	cfg.OnError = func(context.Context, *jetstream.Delivery, error) {
		told.Add(1)
		runtime.Goexit()
	}
	var mu sync.Mutex
	done := map[string]int{}
	cfg.HandleBatch = func(_ context.Context, ds []*jetstream.Delivery) error {
		if ds[0].Delivered == 1 {
			return errors.New("again")
		}
		mu.Lock()
		defer mu.Unlock()
		for _, d := range ds {
			done[string(d.Data)]++
		}
		return nil
	}
	w := r.worker(cfg)
	r.drained("S")
	require.NoError(t, w.Close())
	s := w.Stats()
	balanced(t, s)
	require.Equal(t, []uint64{5, 1, 5}, []uint64{s.Acked, s.Terminated, s.Failed})
	require.EqualValues(t, 6, told.Load())
	require.Equal(t, map[string]int{"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}, done)
}
