package migrate

import (
	"context"
	"errors"
	"testing"

	"github.com/poundlock/poundlock/workerpool"
	"github.com/sourcegraph/conc/pool"
	"github.com/stretchr/testify/require"
)

func concBefore(ctx context.Context, files []string, check func(context.Context, string) error) error {
	p := pool.New().WithErrors().WithContext(ctx).WithMaxGoroutines(4)
	for _, file := range files {
		p.Go(func(ctx context.Context) error { return check(ctx, file) })
	}
	return p.Wait()
}

func concAfter(ctx context.Context, workers *workerpool.Pool, files []string, check func(context.Context, string) error) error {
	g := workers.Group(ctx, workerpool.Limit(4))
	for _, file := range files {
		g.Go(func(ctx context.Context) error { return check(ctx, file) })
	}
	return g.Wait()
}

// rethrow is concAfter with conc's way with panics.
func rethrow(g *workerpool.Group) error {
	err := g.Wait()
	var p *workerpool.PanicError
	if errors.As(err, &p) {
		panic(p) // conc panics here by itself
	}
	return err
}

func TestConc(t *testing.T) {
	workers := workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 4}))
	defer workers.Close()
	short, empty := errors.New("short"), errors.New("empty")
	check := func(_ context.Context, file string) error {
		return map[string]error{"a": short, "c": empty}[file]
	}
	files := []string{"a", "b", "c"}
	for name, err := range map[string]error{
		"before": concBefore(t.Context(), files, check),
		"after":  concAfter(t.Context(), workers, files, check),
	} {
		require.ErrorIs(t, err, short, name)
		require.ErrorIs(t, err, empty, name)
	}
}

func TestConcPanic(t *testing.T) {
	workers := workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 4}))
	defer workers.Close()
	boom := func(context.Context, string) error { panic("boom") }
	require.Panics(t, func() { _ = concBefore(t.Context(), []string{"a"}, boom) })

	var p *workerpool.PanicError
	require.ErrorAs(t, concAfter(t.Context(), workers, []string{"a"}, boom), &p)
	require.Equal(t, "boom", p.Value)

	g := workers.Group(t.Context())
	g.Go(func(context.Context) error { panic("boom") })
	require.Panics(t, func() { _ = rethrow(g) })
}
