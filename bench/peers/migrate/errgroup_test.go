package migrate

import (
	"context"
	"errors"
	"testing"

	"github.com/poundlock/poundlock/workerpool"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

func errgroupBefore(ctx context.Context, urls []string, visit func(context.Context, string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, url := range urls {
		g.Go(func() error { return visit(ctx, url) })
	}
	return g.Wait()
}

func errgroupAfter(ctx context.Context, pool *workerpool.Pool, urls []string, visit func(context.Context, string) error) error {
	g := pool.Group(ctx, workerpool.FailFast(), workerpool.Limit(4))
	for _, url := range urls {
		g.Go(func(ctx context.Context) error { return visit(ctx, url) })
	}
	return g.Wait()
}

func errgroupJoined(ctx context.Context, pool *workerpool.Pool, urls []string, visit func(context.Context, string) error) error {
	g := pool.Group(ctx)
	for _, url := range urls {
		g.Go(func(ctx context.Context) error { return visit(ctx, url) })
	}
	return g.Wait() // every error, joined: errors.Is finds each
}

func TestErrgroup(t *testing.T) {
	pool := workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 4}))
	defer pool.Close()
	urls, gone := []string{"a", "gone", "b"}, errors.New("gone")
	visit := func(ctx context.Context, url string) error {
		if url == "gone" {
			return gone
		}
		<-ctx.Done() // the others wait for the cancellation
		return ctx.Err()
	}
	require.Equal(t, gone, errgroupBefore(t.Context(), urls, visit))
	require.Equal(t, gone, errgroupAfter(t.Context(), pool, urls, visit))

	late := errors.New("late")
	err := errgroupJoined(t.Context(), pool, urls, func(_ context.Context, url string) error {
		return map[string]error{"gone": gone, "b": late}[url]
	})
	require.ErrorIs(t, err, gone)
	require.ErrorIs(t, err, late)
}
