package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// The requests of a Worker that ends are still open for a while. A message that comes
// through one goes back, and would come again through the next, at once: that would use up
// the deliveries that it may have.
func TestAClosingWorkerUsesUpFewDeliveries(t *testing.T) {
	r := start(t)
	cfg := r.queue(0, 0, time.Minute)
	cfg.Workers, cfg.Ahead, cfg.Handle = 10, 10, ok
	c, err := r.js.Consumer(within(t), "S", "c")
	require.NoError(t, err)
	p := r.publisher(jetstream.PublisherConfig{})
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for returned := uint64(0); returned == 0; { // else its requests had just ended
		w := r.worker(cfg)
		require.Eventually(t, func() bool {
			i, err := c.Info(within(t))
			return err == nil && i.NumWaiting > 0
		}, patience, time.Millisecond)
		require.Error(t, w.Shutdown(over))
		_, err = p.Publish(within(t), "s.x", jetstream.Message{})
		require.NoError(t, err)
		<-w.Done()
		returned = w.Stats().Returned
	}
	m, err := c.Next(njs.FetchMaxWait(patience))
	require.NoError(t, err)
	md, err := m.Metadata()
	require.NoError(t, err)
	require.LessOrEqual(t, md.NumDelivered, uint64(3), "back at once, back after the requests have ended, and now")
	require.NoError(t, m.Ack())
	r.drained("S")
}

// What a Worker with keys hands back comes to the next one in order, also what came while it
// ended, and each once more. (What failed, as what a Shutdown cancels does, comes when it may.)
func TestWhatIsHandedBackKeepsItsOrder(t *testing.T) {
	for _, ahead := range []int{30, 60} { // all places are taken, or a request is open
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("ahead=%d,cut=%v", ahead, cut), func(t *testing.T) {
				t.Parallel()
				const n, more = 31, 5
				r := start(t)
				cfg := r.queue(n, 1, time.Minute)
				cfg.Workers, cfg.Ahead, cfg.Key, cfg.MaxDeliver = 1, ahead, (*jetstream.Delivery).Key, 3
				started, goOn := make(chan struct{}), make(chan struct{})
				cfg.Handle = func(ctx context.Context, _ *jetstream.Delivery) error {
					close(started)
					select {
					case <-goOn:
					case <-ctx.Done():
					}
					return ctx.Err()
				}
				w := r.worker(cfg)
				<-started
				require.Eventually(t, func() bool { return w.Stats().Waiting == n-1 }, patience, time.Millisecond)
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- w.Shutdown(ctx) }()
				require.Eventually(t, func() bool { return w.Stats().Returned == n-1 }, patience, time.Millisecond)
				r.sendNumbers(n, n+more)
				if cut {
					cancel()
					require.ErrorIs(t, <-ended, context.Canceled)
					<-w.Done()
				} else {
					close(goOn)
					require.NoError(t, <-ended)
				}

				got := make(chan int, 2*n)
				cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error {
					i, err := strconv.Atoi(string(d.Data))
					if i > 0 {
						got <- i
					}
					if i > 0 && d.Delivered > 2 {
						t.Errorf("delivery %d of message %d", d.Delivered, i)
					}
					return err
				}
				w = r.worker(cfg)
				for i := 1; i < n+more; i++ {
					require.Equal(t, i, <-got)
				}
				r.drained("S")
				require.NoError(t, w.Close())
			})
		}
	}
}

// A handler that ends its Worker at once cancels itself. Its message goes back, with keys, too.
func TestAHandlerThatCancelsItself(t *testing.T) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, keys := range []int{0, 1} {
		r := start(t)
		cfg := r.queue(1, keys, time.Hour)
		if keys > 0 {
			cfg.Key = (*jetstream.Delivery).Key
		}
		var w *jetstream.Worker
		ready := make(chan struct{})
		cfg.Handle = func(ctx context.Context, _ *jetstream.Delivery) error {
			<-ready
			if err := w.Shutdown(over); !errors.Is(err, jetstream.ErrInside) {
				t.Error(err)
			}
			return ctx.Err()
		}
		w = r.worker(cfg)
		close(ready)
		<-w.Done()
		require.EqualValues(t, 1, w.Stats().Failed)
		cfg.Handle = ok
		w = r.worker(cfg)
		r.drained("S")
		require.NoError(t, w.Close())
	}
}

// sendNumbers stores messages of key "0" as queue does.
func (r *rig) sendNumbers(from, to int) {
	r.t.Helper()
	p := r.publisher(jetstream.PublisherConfig{})
	for i := from; i < to; i++ {
		require.NoError(r.t, p.Send(within(r.t), "s.x", jetstream.Message{Data: []byte(strconv.Itoa(i)), Key: "0"}))
	}
	require.NoError(r.t, p.Close())
}

// A delivery counts for MaxDeliver also if it was cut short: by a Shutdown that cancelled
// the handler, by one that came before the handler was called, or with the process.
func TestADeliveryThatWasCutShortCounts(t *testing.T) {
	for name, cut := range map[string]func(r *rig, cfg jetstream.Config){
		"Shutdown": func(r *rig, cfg jetstream.Config) {
			cfg.Workers, cfg.Ahead, cfg.MaxDeliver = 1, 1, 10
			started := make(chan struct{}, 2)
			cfg.Handle = func(ctx context.Context, _ *jetstream.Delivery) error {
				started <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			}
			w := r.worker(cfg)
			<-started
			require.Eventually(r.t, func() bool { return w.Stats().Waiting == 1 }, patience, time.Millisecond)
			over, cancel := context.WithCancel(context.Background())
			cancel()
			require.Error(r.t, w.Shutdown(over))
			<-w.Done()
			s := w.Stats()
			require.Equal(r.t, []uint64{1, 1, 1}, []uint64{s.Calls, s.Failed, s.Returned})
		},
		"death": func(r *rig, _ jetstream.Config) {
			nc, err := r.srv.Connect()
			require.NoError(r.t, err)
			js, err := njs.New(nc)
			require.NoError(r.t, err)
			c, err := js.Consumer(within(r.t), "S", "c")
			require.NoError(r.t, err)
			for range 2 {
				_, err := c.Next(njs.FetchMaxWait(patience))
				require.NoError(r.t, err)
			}
			nc.Close()
		},
	} {
		for most, want := range map[int][]uint64{1: {0, 0, 2}, 2: {2, 2, 0}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := start(t)
				r.stream("DEAD", njs.LimitsPolicy, "dead")
				cfg := r.queue(2, 0, time.Second)
				cut(r, cfg)
				cfg.MaxDeliver, cfg.DeadLetter = most, "dead"
				cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error {
					if d.Delivered != 2 {
						t.Errorf("delivery %d", d.Delivered)
					}
					return nil
				}
				w := r.worker(cfg)
				r.drained("S")
				require.NoError(t, w.Close())
				s := w.Stats()
				require.Equal(t, want, []uint64{s.Calls, s.Acked, s.DeadLettered}, "MaxDeliver %d", most)
				require.Len(t, r.stored("DEAD"), int(want[2]))
			})
		}
	}
}
