package batchchan_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestCallsFromWithinTheProcessorDoNotHang(t *testing.T) {
	var b *batchchan.Batcher[int]
	var errs []error
	var n int
	b = batchchan.Must(batchchan.New(batchchan.Config[int]{MaxBatch: 1, MaxPending: 1}, func(ctx context.Context, items []int) error {
		if n++; n > 1 {
			return nil
		}
		_, err := b.Shutdown(ctx)
		errs = append(errs, b.Flush(ctx), err, b.Send(ctx, 1), b.Send(ctx, 2))
		return nil
	}))
	require.NoError(t, b.Send(bg, 0))
	require.NoError(t, b.Flush(bg))
	require.NoError(t, b.Close())
	require.Len(t, errs, 4)
	require.ErrorIs(t, errs[0], batchchan.ErrInside)
	require.ErrorIs(t, errs[1], batchchan.ErrInside)
	require.NoError(t, errs[2])
	require.ErrorIs(t, errs[3], batchchan.ErrFull, "waiting for room would be waiting for itself")
}

func TestPanicIsContained(t *testing.T) {
	var failed []int
	var cause error
	b := batchchan.Must(batchchan.New(batchchan.Config[int]{
		MaxBatch: 2, Name: "orders", Retry: batchchan.Retry{MaxAttempts: 5},
		OnError: func(_ context.Context, err error, items []int) {
			cause = err
			failed = append(failed, items...)
			panic("a panic in OnError is contained, too")
		},
	}, func(_ context.Context, items []int) error {
		if items[0] == 2 {
			panic(errors.New("boom"))
		}
		return nil
	}))
	for i := range 6 {
		require.NoError(t, b.Send(bg, i))
		requireFailed(t, map[int]int{2: 1}[i], b.Flush(bg))
	}
	require.NoError(t, b.Close(), "what failed was reported")
	var p *batchchan.PanicError
	require.ErrorAs(t, cause, &p)
	require.ErrorContains(t, p.Unwrap(), "boom")
	require.Contains(t, string(p.Stack), "failure_test.go")
	require.Contains(t, p.Error(), "boom")
	require.Equal(t, []int{2}, failed)
	s := b.Stats()
	require.EqualValues(t, 2, s.Panics)
	require.EqualValues(t, 1, s.Failed)
	require.EqualValues(t, 5, s.Succeeded)
	require.Zero(t, s.Retried, "a panic is not retried")
	require.Equal(t, "orders", s.Name)
}

func TestGoexitIsSurvived(t *testing.T) {
	var cause error
	b := batchchan.Must(batchchan.New(batchchan.Config[int]{MaxBatch: 1, OnError: func(_ context.Context, err error, _ []int) { cause = err }}, func(_ context.Context, items []int) error {
		if items[0] == 1 {
			runtime.Goexit()
		}
		return nil
	}))
	for i := range 4 {
		require.NoError(t, b.Send(bg, i))
	}
	requireFailed(t, 1, b.Close())
	require.ErrorIs(t, cause, batchchan.ErrGoexit)
	s := b.Stats()
	checkQuiet(t, s)
	require.EqualValues(t, 3, s.Succeeded)
	require.EqualValues(t, 1, s.Failed)
}
