package batchchan_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// endingCtx is a ctx of a user's own whose Value does not return: never, or once the ctx
// has ended (it belongs to a request, say, that is over then).
type endingCtx struct {
	context.Context
	atOnce bool
	end    func()
}

func (c *endingCtx) Value(key any) any {
	if c.atOnce || c.Err() != nil {
		c.end()
	}
	return c.Context.Value(key)
}

// ctxSubject is an instance that is full, or empty. call waits there, or finds out that it
// has to; others says that everybody else is served as if that call had not been.
type ctxSubject struct {
	call   func(context.Context)
	others func(t *testing.T)
}

// Whatever the methods of a ctx do, the call with it is the only one that notices.
func TestCtxWhoseValueDoesNotReturn(t *testing.T) {
	for end, f := range map[string]func(){"panics": func() { panic("Value") }, "Goexits": runtime.Goexit} {
		for when, atOnce := range map[string]bool{"at once": true, "at the end": false} {
			for kind, newSubject := range map[string]func(t *testing.T) ctxSubject{
				"Batcher.Send":         batcherOfCtx((*batchchan.Batcher[int]).Send, batchchan.Block),
				"Batcher.SendMany":     batcherOfCtx(sendMany, batchchan.Block),
				"CallerRuns":           batcherOfCtx((*batchchan.Batcher[int]).Send, batchchan.CallerRuns),
				"CallerRuns, SendMany": batcherOfCtx(sendMany, batchchan.CallerRuns),
				"CallerRuns of a Pipe": pipeSendOfCtx,
				"Keyed.Send":           keyedOfCtx((*batchchan.Keyed[int, int]).Send),
				"Keyed.SendMany": keyedOfCtx(func(k *batchchan.Keyed[int, int], ctx context.Context, v int) error {
					_, err := k.SendMany(ctx, []int{v})
					return err
				}),
				"Chan.Send":      chanSendOfCtx,
				"Chan.Recv":      chanRecvOfCtx,
				"Chan.C":         chanCOfCtx,
				"Pipe.Recv":      pipeOfCtx,
				"Queue.Recv":     queueOfCtx,
				"Caller.Do":      callerOfCtx,
				"Shutdown":       shutdownOfCtx,
				"Keyed.Shutdown": keyedShutdownOfCtx,
			} {
				t.Run(kind+"/"+end+" "+when, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						inner, cancel := context.WithCancel(bg)
						defer cancel()
						ctx := &endingCtx{inner, atOnce, f}
						s := newSubject(t)
						over := make(chan struct{})
						go func() {
							defer close(over)
							defer func() { _ = recover() }()
							s.call(ctx)
						}()
						synctest.Wait()
						cancel()
						<-over
						s.others(t)
					})
				})
			}
		}
	}
}

func sendMany(b *batchchan.Batcher[int], ctx context.Context, v int) error {
	_, err := b.SendMany(ctx, []int{v})
	return err
}

// batcherOfCtx returns a Batcher with item 1 in the processor and item 2 waiting, which
// fills it.
func batcherOfCtx(send func(*batchchan.Batcher[int], context.Context, int) error, overflow batchchan.Overflow) func(*testing.T) ctxSubject {
	return func(t *testing.T) ctxSubject {
		var got collector[int]
		b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: overflow}, func(ctx context.Context, items []int) error {
			time.Sleep(time.Second) // real time: none, it runs in the bubble of TestCtxWhoseValueDoesNotReturn
			return got.process(ctx, items)
		}))
		require.NoError(t, b.Send(bg, 1))
		synctest.Wait()
		require.NoError(t, b.Send(bg, 2))
		return ctxSubject{
			func(ctx context.Context) { _ = send(b, ctx, 3) },
			func(t *testing.T) {
				require.NoError(t, b.Send(bg, 4))
				require.Zero(t, b.Stats().Waiting)
				require.NoError(t, b.Close())
				require.ElementsMatch(t, []int{1, 2, 4}, got.items(), "3 was not accepted")
				checkQuiet(t, b.Stats())
			},
		}
	}
}

// pipeSendOfCtx is batcherOfCtx for a sender of a Pipe, whose batches are processed for it.
func pipeSendOfCtx(t *testing.T) ctxSubject {
	var got collector[int]
	p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: batchchan.CallerRuns}},
		func(ctx context.Context, in, out []int) ([]int, error) {
			time.Sleep(time.Second) // real time: none, it runs in the bubble of TestCtxWhoseValueDoesNotReturn
			return out, got.process(ctx, in)
		}))
	require.NoError(t, p.Send(bg, 1))
	synctest.Wait()
	require.NoError(t, p.Send(bg, 2))
	rejected := 1 // unless its ctx did not return before it waited
	return ctxSubject{
		func(ctx context.Context) {
			if ctx.(*endingCtx).atOnce {
				rejected = 0
			}
			_ = p.Send(ctx, 3)
		},
		func(t *testing.T) {
			require.NoError(t, p.Send(bg, 4))
			require.EqualValues(t, rejected, p.Stats().Rejected, "3")
			require.NoError(t, p.Close())
			require.ElementsMatch(t, []int{1, 2, 4}, got.items(), "3 was not accepted")
			checkQuiet(t, p.Stats())
			require.Zero(t, p.HelpersAtWork())
		},
	}
}

func keyedOfCtx(send func(*batchchan.Keyed[int, int], context.Context, int) error) func(*testing.T) ctxSubject {
	return func(t *testing.T) ctxSubject {
		var got collector[int]
		k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 1, MaxPending: 1}}, func(v int) int { return v },
			func(ctx context.Context, _ int, items []int) error {
				time.Sleep(time.Second) // real time: none, it runs in the bubble of TestCtxWhoseValueDoesNotReturn
				return got.process(ctx, items)
			}))
		require.NoError(t, k.Send(bg, 1))
		synctest.Wait()
		require.NoError(t, k.Send(bg, 2))
		return ctxSubject{
			func(ctx context.Context) { _ = send(k, ctx, 3) },
			func(t *testing.T) {
				require.NoError(t, k.Send(bg, 4))
				require.Zero(t, k.Stats().Waiting)
				require.NoError(t, k.Close())
				require.Equal(t, []int{1, 2, 4}, got.items(), "3 was not accepted")
				checkQuiet(t, k.Stats().Stats)
			},
		}
	}
}

func chanSendOfCtx(t *testing.T) ctxSubject {
	c := batchchan.NewChan[int](1)
	require.NoError(t, c.Send(bg, 1))
	return ctxSubject{
		func(ctx context.Context) { _ = c.Send(ctx, 2) },
		func(t *testing.T) {
			go func() { _ = c.Send(bg, 3) }()
			synctest.Wait()
			for _, want := range []int{1, 3} {
				v, err := c.RecvTimeout(time.Minute)
				require.NoError(t, err)
				require.Equal(t, want, v)
			}
			require.Zero(t, c.Stats().SendersWaiting)
			require.NoError(t, c.Close())
		},
	}
}

func chanRecvOfCtx(t *testing.T) ctxSubject {
	c := batchchan.NewChan[int](1)
	return ctxSubject{
		func(ctx context.Context) { _, _ = c.Recv(ctx) },
		func(t *testing.T) {
			go func() {
				time.Sleep(time.Second) // real time: none, it runs in the bubble of TestCtxWhoseValueDoesNotReturn
				_ = c.Send(bg, 1)
			}()
			v, err := c.RecvTimeout(time.Minute)
			require.NoError(t, err)
			require.Equal(t, 1, v)
			require.Zero(t, c.Stats().ReceiversWaiting)
			require.NoError(t, c.Close())
		},
	}
}

// The goroutine that moves the items is the Chan's own: nobody could recover there.
func chanCOfCtx(t *testing.T) ctxSubject {
	c := batchchan.NewChan[int](1)
	return ctxSubject{
		func(ctx context.Context) {
			for range c.C(ctx) {
			}
		},
		func(t *testing.T) {
			require.NoError(t, c.Send(bg, 1))
			v, err := c.RecvTimeout(time.Hour)
			require.NoError(t, err)
			require.Equal(t, 1, v)
			require.NoError(t, c.Close())
		},
	}
}

func pipeOfCtx(t *testing.T) ctxSubject {
	p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{}, func(_ context.Context, in, out []int) ([]int, error) {
		return append(out, in...), nil
	}))
	other := make(chan int, 1)
	go func() {
		v, _ := p.Recv(bg)
		other <- v
	}()
	synctest.Wait()
	return ctxSubject{
		func(ctx context.Context) { _, _ = p.Recv(ctx) },
		func(t *testing.T) {
			require.NoError(t, p.Send(bg, 1))
			require.Equal(t, 1, <-other)
			require.NoError(t, p.Close())
		},
	}
}

func queueOfCtx(t *testing.T) ctxSubject {
	q := batchchan.Must(batchchan.NewQueue(batchchan.Config[int]{}))
	other := make(chan *batchchan.Batch[int], 1)
	go func() {
		b, _ := q.Recv(bg)
		other <- b
	}()
	synctest.Wait()
	return ctxSubject{
		func(ctx context.Context) { _, _ = q.Recv(ctx) },
		func(t *testing.T) {
			require.NoError(t, q.Send(bg, 1))
			b := <-other
			require.Equal(t, []int{1}, b.Items)
			b.Release()
			require.NoError(t, q.Close())
		},
	}
}

func callerOfCtx(t *testing.T) ctxSubject {
	asked := 0
	k := batchchan.Must(batchchan.NewCaller(batchchan.Config[int]{Linger: time.Second}, func(_ context.Context, reqs []int, _ []batchchan.Result[int]) error {
		asked += len(reqs)
		return nil
	}))
	return ctxSubject{
		func(ctx context.Context) { _, _ = k.Do(ctx, 1) },
		func(t *testing.T) {
			_, err := k.Do(bg, 2)
			require.NoError(t, err)
			require.NoError(t, k.Close())
			require.Equal(t, 1, asked)
		},
	}
}

// What a Shutdown takes back it returns: if the ctx keeps it from that, it takes nothing.
func shutdownOfCtx(t *testing.T) ctxSubject {
	var got collector[int]
	b := must[int](t)(batchchan.New(batchchan.Config[int]{MaxBatch: 1}, func(ctx context.Context, items []int) error {
		time.Sleep(time.Second) // real time: none, it runs in the bubble of TestCtxWhoseValueDoesNotReturn
		return got.process(ctx, items)
	}))
	_, err := b.SendMany(bg, []int{1, 2, 3})
	require.NoError(t, err)
	return ctxSubject{
		func(ctx context.Context) { _, _ = b.Shutdown(ctx) },
		func(t *testing.T) {
			require.NoError(t, b.Close())
			require.Equal(t, []int{1, 2, 3}, got.items())
		},
	}
}

func keyedShutdownOfCtx(t *testing.T) ctxSubject {
	var got collector[int]
	k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{MaxBatch: 1}}, func(v int) int { return v },
		func(ctx context.Context, _ int, items []int) error {
			time.Sleep(time.Second) // real time: none, it runs in the bubble of TestCtxWhoseValueDoesNotReturn
			return got.process(ctx, items)
		}))
	_, err := k.SendMany(bg, []int{1, 2, 3})
	require.NoError(t, err)
	return ctxSubject{
		func(ctx context.Context) { _, _ = k.Shutdown(ctx) },
		func(t *testing.T) {
			require.NoError(t, k.Close())
			require.Equal(t, []int{1, 2, 3}, got.items())
		},
	}
}
