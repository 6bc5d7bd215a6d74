package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// insider is what the processor of an instance may call with its own ctx.
type insider struct {
	send     func(context.Context, int) error
	many     func(context.Context, []int) (int, error)
	flush    func(context.Context) error
	shutdown func(context.Context) ([]int, error)
	close    func() error
}

// Whatever the type and the policy, the processor and OnError may call these with their
// ctx: nothing waits for itself.
func TestCallsFromWithinDoNotHang(t *testing.T) {
	kinds := map[string]func(cfg batchchan.Config[int], process func(context.Context) error) insider{
		"Batcher": func(cfg batchchan.Config[int], process func(context.Context) error) insider {
			b := batchchan.Must(batchchan.New(cfg, func(ctx context.Context, _ []int) error { return process(ctx) }))
			return insider{b.Send, b.SendMany, b.Flush, b.Shutdown, b.Close}
		},
		"Pipe": func(cfg batchchan.Config[int], process func(context.Context) error) insider {
			p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: cfg}, func(ctx context.Context, _, out []int) ([]int, error) { return out, process(ctx) }))
			return insider{p.Send, p.SendMany, p.Flush, p.Shutdown, p.Close}
		},
		"Keyed": func(cfg batchchan.Config[int], process func(context.Context) error) insider {
			k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(int) int { return 0 }, func(ctx context.Context, _ int, _ []int) error { return process(ctx) }))
			return insider{k.Send, k.SendMany, k.Flush, k.Shutdown, k.Close}
		},
	}
	for name, open := range kinds {
		for _, policy := range []batchchan.Overflow{batchchan.Block, batchchan.Reject, batchchan.DropNewest, batchchan.CallerRuns} {
			if name == "Keyed" && policy == batchchan.CallerRuns {
				continue
			}
			for _, where := range []string{"processor", "OnError"} {
				t.Run(fmt.Sprint(name, "/", policy, "/", where), func(t *testing.T) {
					var x insider
					n := 0
					calls := func(ctx context.Context) {
						require.ErrorIs(t, x.flush(ctx), batchchan.ErrInside)
						_, err := x.shutdown(ctx)
						require.ErrorIs(t, err, batchchan.ErrInside)
						require.NoError(t, x.send(ctx, 1))
						err = x.send(ctx, 2)
						m, errMany := x.many(ctx, []int{3, 4})
						if policy == batchchan.DropNewest {
							require.NoError(t, err)
							require.NoError(t, errMany)
							return
						}
						require.ErrorIs(t, err, batchchan.ErrFull, "waiting for room would be waiting for itself")
						require.ErrorIs(t, errMany, batchchan.ErrFull)
						require.Zero(t, m)
					}
					cfg := batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: policy}
					cfg.OnError = func(ctx context.Context, _ error, _ []int) { calls(ctx) }
					x = open(cfg, func(ctx context.Context) error {
						switch n++; {
						case n > 1:
							return nil
						case where == "OnError":
							return errBad
						}
						calls(ctx)
						return nil
					})
					require.NoError(t, x.send(bg, 0))
					err := x.flush(bg)
					if where == "OnError" {
						requireFailed(t, 1, err)
					} else {
						require.NoError(t, err)
					}
					require.NoError(t, x.close())
					require.Equal(t, 2, n)
				})
			}
		}
	}
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
