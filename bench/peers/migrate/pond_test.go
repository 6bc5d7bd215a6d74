package migrate

import (
	"context"
	"slices"
	"testing"

	"github.com/alitto/pond/v2"
	"github.com/poundlock/poundlock/workerpool"
	"github.com/stretchr/testify/require"
)

func pondBefore(ctx context.Context, words []string, count func(context.Context, string) (int, error)) ([]int, error) {
	pool := pond.NewResultPool[int](4, pond.WithQueueSize(100))
	defer pool.StopAndWait()
	group := pool.NewGroupContext(ctx)
	for _, word := range words {
		group.SubmitErr(func() (int, error) { return count(ctx, word) })
	}
	return group.Wait()
}

func pondAfter(ctx context.Context, words []string, count func(context.Context, string) (int, error)) ([]int, error) {
	pool, err := workerpool.New(workerpool.Config{MaxWorkers: 4, QueueSize: 100})
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	var counts []int
	for n, err := range workerpool.Map(ctx, pool, slices.Values(words), count) {
		if err != nil {
			return nil, err // leaving the loop cancels the rest and waits for it
		}
		counts = append(counts, n)
	}
	return counts, nil
}

func pondTaskBefore(pool pond.ResultPool[int], word string, count func(string) int) (int, error) {
	task := pool.Submit(func() int { return count(word) })
	return task.Wait()
}

func pondTaskAfter(ctx context.Context, pool *workerpool.Pool, word string, count func(string) int) (int, error) {
	task := workerpool.Go(ctx, pool, func(context.Context) (int, error) { return count(word), nil })
	return task.Wait(ctx)
}

func TestPond(t *testing.T) {
	words := []string{"one", "three", "eleven"}
	count := func(_ context.Context, s string) (int, error) { return len(s), nil }
	for name, run := range map[string]func(context.Context, []string, func(context.Context, string) (int, error)) ([]int, error){
		"before": pondBefore, "after": pondAfter,
	} {
		t.Run(name, func(t *testing.T) {
			counts, err := run(t.Context(), words, count)
			require.NoError(t, err)
			require.Equal(t, []int{3, 5, 6}, counts)
		})
	}
}

func TestPondTask(t *testing.T) {
	length := func(s string) int { return len(s) }
	old := pond.NewResultPool[int](1)
	defer old.StopAndWait()
	n, err := pondTaskBefore(old, "one", length)
	require.NoError(t, err)
	require.Equal(t, 3, n)

	pool := workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: 1}))
	defer pool.Close()
	n, err = pondTaskAfter(t.Context(), pool, "one", length)
	require.NoError(t, err)
	require.Equal(t, 3, n)
}
