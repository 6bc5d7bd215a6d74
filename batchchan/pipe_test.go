package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestPipeKeepsOrderWithManyWorkers(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p, err := batchchan.NewPipe(batchchan.PipeConfig[int]{
				Config: batchchan.Config[int]{MaxBatch: 3, Workers: 4, OnError: func(context.Context, error, []int) {}}, Ordered: ordered,
			}, func(_ context.Context, in []int, out []string) ([]string, error) {
				time.Sleep(time.Duration(in[0]*7919%13) * time.Millisecond)
				switch in[0] {
				case 30:
					return append(out, "never seen"), errors.New("no")
				case 60:
					panic("no")
				case 90:
					runtime.Goexit()
				}
				for _, v := range in {
					if v%2 == 0 { // any number of results
						out = append(out, fmt.Sprint(v))
					}
				}
				return out, nil
			})
			require.NoError(t, err)
			go func() {
				_, err := p.SendMany(bg, upTo(300))
				require.NoError(t, err)
				requireFailed(t, 9, p.Close())
			}()
			var got, want []string
			for r, err := range p.All(bg) {
				require.NoError(t, err)
				got = append(got, r)
			}
			for i := range 300 {
				if i%2 == 0 {
					want = append(want, fmt.Sprint(i))
				}
			}
			s := p.Stats()
			require.EqualValues(t, 300, s.Delivered)
			require.Positive(t, s.Failed)
			if ordered {
				// The failed batches are missing, the rest is in order.
				next := 0
				for _, g := range got {
					for want[next] != g {
						next++
					}
				}
			}
			require.InDelta(t, float64(s.Succeeded)/2, len(got), 5)
			checkQuiet(t, s)
		})
	}
}

func TestPipeSlowReceiversSlowDownSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := batchchan.NewPipe(batchchan.PipeConfig[int]{
			Config: batchchan.Config[int]{MaxBatch: 2, MaxPending: 2}, MaxResults: 1,
		}, func(_ context.Context, in, out []int) ([]int, error) { return append(out, in...), nil })
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		n, err := p.SendMany(ctx, upTo(100))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.LessOrEqual(t, n, 6, "results, processor, buffer: two each")
		require.ErrorIs(t, p.SendTimeout(1, time.Second), batchchan.ErrTimeout)
		require.ErrorIs(t, p.TrySend(1), batchchan.ErrFull)
		require.ErrorIs(t, p.Send(ctx, 1), context.DeadlineExceeded)
		require.NoError(t, p.Close(), "does not wait for receivers")
		buf := make([]int, 100)
		var got []int
		for {
			k, err := p.RecvMany(bg, buf)
			if err != nil {
				require.ErrorIs(t, err, batchchan.ErrClosed)
				break
			}
			got = append(got, buf[:k]...)
		}
		require.Equal(t, upTo(n), got)
		_, err = p.Recv(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		k, err := p.RecvMany(bg, nil)
		require.NoError(t, err)
		require.Zero(t, k)
		_, err = batchchan.NewPipe(batchchan.PipeConfig[int]{MaxResults: -1}, func(_ context.Context, in, out []int) ([]int, error) { return nil, nil })
		require.ErrorContains(t, err, "MaxResults")
		_, err = batchchan.NewPipe[int, int](batchchan.PipeConfig[int]{}, nil)
		require.Error(t, err)
	})
}

func TestPipeShutdownAndCancelledReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := batchchan.NewPipe(batchchan.PipeConfig[int]{Config: batchchan.Config[int]{MaxBatch: 1}}, func(ctx context.Context, in, out []int) ([]int, error) {
			<-ctx.Done()
			return append(out, in...), nil
		})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err = p.Recv(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		for _, err := range p.All(ctx) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		_, err = p.SendMany(bg, upTo(3))
		require.NoError(t, err)
		synctest.Wait()
		back, err := p.Shutdown(ctx)
		require.ErrorContains(t, err, "2 items undelivered, 1 in the processor")
		require.Equal(t, []int{1, 2}, back)
		<-p.Done()
		r, err := p.Recv(bg)
		require.NoError(t, err)
		require.Equal(t, 0, r, "a result that was computed is there")
		require.ErrorIs(t, p.Flush(bg), batchchan.ErrClosed)
	})
}

// A call that fails, or has no results, leaves those of the other parts of its batch alone,
// whatever it returns for its own.
func TestPipeKeepsTheResultsOfOtherParts(t *testing.T) {
	bad := errors.New("bad")
	for _, detach := range []bool{false, true} {
		for name, none := range map[string]func(out []int) []int{
			"out": func(out []int) []int { return out }, "nil": func([]int) []int { return nil }, "another": func([]int) []int { return []int{} },
		} {
			for kind, retry := range map[string]batchchan.Retry{"split": {Split: true}, "parts": {MaxAttempts: 3, Backoff: 1}} {
				t.Run(fmt.Sprintf("%s/%s/detach=%v", kind, name, detach), func(t *testing.T) {
					cfg := batchchan.Config[int]{MaxBatch: 8, Retry: retry, DetachBatches: detach}
					p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: cfg}, func(_ context.Context, in, out []int) ([]int, error) {
						var failed batchchan.ItemErrors
						for i, v := range in {
							switch {
							case v == 6 && kind == "split":
								return none(out), bad
							case v >= 6 && len(in) == 8:
								failed.Retry(i, bad)
							case v == 7:
								return none(out), nil
							case v != 6:
								out = append(out, v)
							}
						}
						return out, failed.Err()
					}))
					_, err := p.SendMany(bg, upTo(8))
					require.NoError(t, err)
					_ = p.Close()
					var got []int
					for v, err := range p.All(bg) {
						require.NoError(t, err)
						got = append(got, v)
					}
					require.Equal(t, []int{0, 1, 2, 3, 4, 5}, got)
				})
			}
		}
	}
}
