package jetstream_test

import (
	"context"
	"testing"

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
