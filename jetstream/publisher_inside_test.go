package jetstream_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// What a Publisher's OnError calls does not wait for it.
func TestAPublisherFromWithin(t *testing.T) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for name, call := range map[string]func(ctx context.Context, p *jetstream.Publisher) error{
		"Close":    func(_ context.Context, p *jetstream.Publisher) error { return p.Close() },
		"Shutdown": func(ctx context.Context, p *jetstream.Publisher) error { _, err := p.Shutdown(ctx); return err },
		"Shutdown, ctx of its own": func(_ context.Context, p *jetstream.Publisher) error {
			_, err := p.Shutdown(context.Background())
			return err
		},
		"Shutdown, ctx ended":   func(_ context.Context, p *jetstream.Publisher) error { _, err := p.Shutdown(over); return err },
		"Flush":                 func(ctx context.Context, p *jetstream.Publisher) error { return p.Flush(ctx) },
		"Flush, ctx of its own": func(_ context.Context, p *jetstream.Publisher) error { return p.Flush(context.Background()) },
		"Publish with the key": func(ctx context.Context, p *jetstream.Publisher) error {
			_, err := p.Publish(ctx, "s.x", jetstream.Message{Key: "k"})
			return err
		},
		"Publish without a key": func(ctx context.Context, p *jetstream.Publisher) error {
			_, err := p.Publish(ctx, "s.x", jetstream.Message{})
			return err
		},
		"Publish with a ctx of its own": func(_ context.Context, p *jetstream.Publisher) error {
			_, err := p.Publish(context.Background(), "s.x", jetstream.Message{Key: "k"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			errs := make(chan error, 1)
			var p *jetstream.Publisher
			p = r.publisher(jetstream.PublisherConfig{MaxAttempts: 1, OnError: func(ctx context.Context, _ jetstream.Message, _ error) {
				errs <- call(ctx, p)
			}})
			require.NoError(t, p.Send(within(t), "nowhere", jetstream.Message{Key: "k"}))
			select {
			case err := <-errs:
				require.ErrorIs(t, err, jetstream.ErrInside)
			case <-within(t).Done():
				t.Fatal("it waits for itself")
			}
			require.NoError(t, p.Close())
			adds(t, p.Stats())
		})
	}
}

// An OnError that ends its goroutine, or panics, ends no more than that: each message that
// failed with it is told of, and nobody who published waits on.
func TestAPublisherWhoseOnErrorDoesNotReturn(t *testing.T) {
	for name, leave := range map[string]func(){"Goexit": runtime.Goexit, "panic": func() { panic("no") }} {
		for key, n := range map[string]int{"": 50, "k": 5} { // with a key one by one
			t.Run(name+key, func(t *testing.T) {
				t.Parallel()
				r := start(t)
				_, err := r.nc.SubscribeSync("nowhere") // that does not answer: they fail together
				require.NoError(t, err)
				told := make(chan string, 2*n)
				p := r.publisher(jetstream.PublisherConfig{MaxAttempts: 1, Timeout: 100 * time.Millisecond, OnError: func(_ context.Context, m jetstream.Message, _ error) {
					told <- m.ID
					leave()
				}})
				var published sync.WaitGroup
				for i := range n {
					require.NoError(t, p.Send(within(t), "nowhere", jetstream.Message{ID: fmt.Sprint(i), Key: key}))
					published.Go(func() {
						_, err := p.Publish(within(t), "nowhere", jetstream.Message{Key: key})
						assert.NotErrorIs(t, err, context.DeadlineExceeded)
						assert.Error(t, err)
					})
				}
				published.Wait()
				require.NoError(t, p.Close())
				close(told)
				ids := map[string]bool{}
				for id := range told {
					require.False(t, ids[id], id)
					ids[id] = true
				}
				require.Len(t, ids, n)
				adds(t, p.Stats())
				require.EqualValues(t, 2*n, p.Stats().Failed)
			})
		}
	}
}

// While OnError has a message, the next of its Key waits, and those of other Keys do not.
func TestOnErrorHoldsUpItsKey(t *testing.T) {
	r := start(t)
	r.stream("S", njs.LimitsPolicy, "s.>")
	told, goOn := make(chan struct{}), make(chan struct{})
	p := r.publisher(jetstream.PublisherConfig{MaxAttempts: 1, OnError: func(context.Context, jetstream.Message, error) {
		close(told)
		<-goOn
	}})
	release := sync.OnceFunc(func() { close(goOn) })
	t.Cleanup(release)
	require.NoError(t, p.Send(within(t), "nowhere", jetstream.Message{Key: "a"}))
	<-told
	next := make(chan error, 1)
	go func() {
		_, err := p.Publish(within(t), "s.next", jetstream.Message{Key: "a"})
		next <- err
	}()
	require.Eventually(t, func() bool { return p.Stats().Pending == 1 }, patience, time.Millisecond)
	for range 20 {
		_, err := p.Publish(within(t), "s.x", jetstream.Message{Key: "b"})
		require.NoError(t, err)
	}
	for _, m := range r.stored("S") {
		require.Equal(t, "s.x", m.Subject)
	}
	release()
	require.NoError(t, <-next)
	require.NoError(t, p.Close())
	adds(t, p.Stats())
}
