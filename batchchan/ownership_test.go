package batchchan_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// keeper keeps slices that functions were given, with copies of what was in them.
type keeper struct {
	kept, was [][]int
}

func (k *keeper) keep(s []int) {
	k.kept = append(k.kept, s)
	k.was = append(k.was, slices.Clone(s))
}

// check asserts that what was kept is untouched, or, without DetachBatches, that it
// was cleared.
func (k *keeper) check(t *testing.T, detached bool) {
	t.Helper()
	require.NotEmpty(t, k.kept)
	if detached {
		require.Equal(t, k.was, k.kept)
		return
	}
	for _, s := range k.kept {
		require.Equal(t, make([]int, len(s)), s)
	}
}

// someFail fails one item of each batch for good and has another tried again.
func someFail(items []int) error {
	var e batchchan.ItemErrors
	for i, v := range items {
		switch {
		case v%10 == 3:
			e.Fail(i, errBad)
		case v%10 == 5:
			e.Retry(i, errBad)
		}
	}
	return e.Err()
}

// Who owns a slice: without DetachBatches the package, which clears it; with it the
// function that was given it.
func TestOwnershipOfSlices(t *testing.T) {
	many := make([]int, 40)
	for i := range many {
		many[i] = i + 1
	}
	for _, detach := range []bool{false, true} {
		var k *keeper
		config := func() batchchan.Config[int] {
			k = new(keeper)
			kept := k
			return batchchan.Config[int]{
				MaxBatch: 10, DetachBatches: detach, Linger: -1, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: 1},
				OnError: func(_ context.Context, _ error, items []int) { kept.keep(items) },
			}
		}
		t.Run("Batcher", func(t *testing.T) {
			b, err := batchchan.New(config(), func(_ context.Context, items []int) error {
				k.keep(items)
				return someFail(items)
			})
			require.NoError(t, err)
			mine := slices.Clone(many)
			_, err = b.SendMany(bg, mine)
			require.NoError(t, err)
			require.Error(t, b.Close())
			require.Equal(t, many, mine, "what is passed to SendMany stays the caller's")
			k.check(t, detach)
		})
		t.Run("Keyed", func(t *testing.T) {
			b, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: config()}, func(v int) int { return v % 2 },
				func(_ context.Context, _ int, items []int) error {
					k.keep(items)
					return someFail(items)
				})
			require.NoError(t, err)
			_, err = b.SendMany(bg, many)
			require.NoError(t, err)
			require.Error(t, b.Close())
			k.check(t, detach)
		})
		t.Run("Queue", func(t *testing.T) {
			q, err := batchchan.NewQueue(config())
			require.NoError(t, err)
			_, err = q.SendMany(bg, many)
			require.NoError(t, err)
			require.NoError(t, q.Close())
			for b, err := range q.All(bg) {
				require.NoError(t, err)
				k.keep(b.Items)
			}
			k.check(t, detach)
		})
		t.Run("Pipe", func(t *testing.T) {
			cfg := batchchan.PipeConfig[int]{Config: config(), MaxResults: 100}
			outs := new(keeper)
			p, err := batchchan.NewPipe(cfg, func(_ context.Context, in, out []int) ([]int, error) {
				k.keep(in)
				n := len(out)
				out = append(out, in...)
				outs.keep(out[n:])
				return out, someFail(in)
			})
			require.NoError(t, err)
			_, err = p.SendMany(bg, many)
			require.NoError(t, err)
			require.Error(t, p.Close())
			dst := make([]int, 100)
			n, err := p.RecvMany(bg, dst)
			require.NoError(t, err)
			require.Positive(t, n)
			for {
				if _, err := p.Recv(bg); err != nil {
					break
				}
			}
			require.NotZero(t, dst[0], "what is passed to RecvMany stays the caller's")
			k.check(t, detach)
			if detach {
				outs.check(t, true)
			}
		})
		t.Run("Caller", func(t *testing.T) {
			kept := new(keeper)
			var results [][]batchchan.Result[int]
			c, err := batchchan.NewCaller(batchchan.Config[int]{DetachBatches: detach, OnError: func(_ context.Context, _ error, reqs []int) {
				kept.keep(reqs)
			}}, func(_ context.Context, reqs []int, res []batchchan.Result[int]) error {
				kept.keep(reqs)
				results = append(results, res)
				for i, v := range reqs {
					res[i].Value = v
				}
				return someFail(reqs)
			})
			require.NoError(t, err)
			for _, v := range many {
				got, err := c.Do(bg, v)
				if err == nil {
					require.Equal(t, v, got)
				}
			}
			require.NoError(t, c.Close())
			for i, s := range results {
				if detach {
					require.Equal(t, many[i], s[0].Value)
				} else {
					require.Zero(t, s[0])
				}
			}
			if detach {
				kept.check(t, true)
			}
		})
	}
}
