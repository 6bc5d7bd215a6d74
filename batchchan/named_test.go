package batchchan_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime/pprof"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/internal/stats"
)

// Where there is a Config.Name, each error that an instance makes says which one it
// was, in a field and in its text.
func TestErrorsNameTheInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []error
		cfg := batchchan.Config[int]{
			Name: "audit", MaxBatch: 1,
			OnError: func(_ context.Context, err error, _ []int) { told = append(told, err) },
		}
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(v int) int { return v },
			func(ctx context.Context, key int, _ []int) error {
				switch key {
				case 0:
					panic("boom")
				case 9:
					<-ctx.Done()
				}
				return errBad
			})
		require.NoError(t, err)
		require.NoError(t, k.Send(bg, 0))
		err = k.Flush(bg)
		var failed *batchchan.FailedError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "audit", failed.Name)
		require.ErrorContains(t, err, `batchchan: "audit": 1 items failed`)
		var key *batchchan.KeyError[int]
		require.ErrorAs(t, told[0], &key)
		require.Equal(t, "audit", key.Name)
		require.ErrorContains(t, key, `batchchan: "audit": key 0: `)
		var panicked *batchchan.PanicError
		require.ErrorAs(t, told[0], &panicked)
		require.Equal(t, "audit", panicked.Name)

		require.NoError(t, k.Send(bg, 9))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		_, err = k.Shutdown(ctx)
		var cut *batchchan.ShutdownError
		require.ErrorAs(t, err, &cut)
		require.Equal(t, "audit", cut.Name)
		require.ErrorContains(t, err, `batchchan: "audit": shutdown cut short: `)
		<-k.Done()

		b, err := batchchan.New(cfg, func(context.Context, []int) error { return errBad })
		require.NoError(t, err)
		require.NoError(t, b.Send(bg, 1))
		require.ErrorContains(t, b.Close(), `batchchan: "audit": 1 items failed, the first: `)
	})
	require.EqualError(t, &batchchan.FailedError{Items: 2, First: errBad}, "batchchan: 2 items failed, the first: "+errBad.Error())
}

// waitKind is one type for TestMaxWaiters.
type waitKind struct {
	send    func(context.Context, int) error
	many    func(context.Context, []int) (int, error)
	waiting func() int
	end     func() error
}

// MaxWaiters sends wait for room, one more does not; one that leaves makes place.
func TestMaxWaiters(t *testing.T) {
	cfg := batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, MaxWaiters: 2}
	for name, open := range map[string]func(process func()) waitKind{
		"Batcher": func(process func()) waitKind {
			b := batchchan.Must(batchchan.New(cfg, func(context.Context, []int) error { process(); return nil }))
			return waitKind{b.Send, b.SendMany, func() int { return b.Stats().Waiting }, b.Close}
		},
		"Keyed": func(process func()) waitKind {
			k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(v int) int { return v },
				func(context.Context, int, []int) error { process(); return nil }))
			return waitKind{k.Send, k.SendMany, func() int { return k.Stats().Waiting }, k.Close}
		},
		"Caller": func(process func()) waitKind {
			c := batchchan.Must(batchchan.NewCaller(cfg, func(context.Context, []int, []batchchan.Result[int]) error { process(); return nil }))
			do := func(ctx context.Context, v int) error { _, err := c.Do(ctx, v); return err }
			return waitKind{do, nil, func() int { return c.Stats().Waiting }, c.Close}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				k := open(func() { <-gate })
				for v := range 2 { // one in the processor, one that is pending
					go func() { _ = k.send(bg, v) }()
					synctest.Wait()
				}
				ctx, cancel := context.WithCancel(bg)
				errs := make(chan error, 2)
				for v := range 2 {
					go func() { errs <- k.send(ctx, 2+v) }()
				}
				synctest.Wait()
				require.Equal(t, 2, k.waiting())
				require.ErrorIs(t, k.send(bg, 4), batchchan.ErrFull)
				if k.many != nil {
					n, err := k.many(bg, []int{5, 6})
					require.ErrorIs(t, err, batchchan.ErrFull)
					require.Zero(t, n)
				}
				cancel()
				require.ErrorIs(t, <-errs, context.Canceled)
				require.ErrorIs(t, <-errs, context.Canceled)
				go func() { errs <- k.send(bg, 7) }()
				synctest.Wait()
				require.Equal(t, 1, k.waiting(), "those that left made place")
				close(gate)
				require.NoError(t, <-errs)
				require.NoError(t, k.end())
			})
		})
	}
	_, err := batchchan.New(batchchan.Config[int]{MaxWaiters: -1}, func(context.Context, []int) error { return nil })
	require.EqualError(t, err, "batchchan: MaxWaiters -1 is negative")
}

// Every distribution of Stats can be had as such, under the name that it has in JSON,
// with the values that were recorded.
func TestHistograms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := func(context.Context, []int) error { time.Sleep(time.Second); return nil }
		b := batchchan.Must(batchchan.New(batchchan.Config[int]{Linger: time.Minute}, fn))
		require.NoError(t, b.Send(bg, 1))
		time.Sleep(time.Hour)
		require.NoError(t, b.Close())
		counts(t, b.Histograms(), map[string]time.Duration{"age": time.Minute, "processing": time.Second})
		for range b.Histograms() {
			break
		}

		q := batchchan.Must(batchchan.NewQueue(batchchan.Config[int]{}))
		require.NoError(t, q.Send(bg, 1))
		time.Sleep(time.Minute)
		got, err := q.Recv(bg)
		require.NoError(t, err)
		time.Sleep(time.Second)
		got.Release()
		counts(t, q.Histograms(), map[string]time.Duration{"age": time.Minute, "processing": time.Second})

		p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: batchchan.Config[int]{Linger: time.Minute}},
			func(_ context.Context, in, out []int) ([]int, error) { return append(out, in...), fn(bg, in) }))
		require.NoError(t, p.Send(bg, 1))
		time.Sleep(time.Hour)
		require.NoError(t, p.Close())
		counts(t, p.Histograms(), map[string]time.Duration{"age": time.Minute, "processing": time.Second})

		k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{Linger: time.Minute}},
			func(v int) int { return v }, func(_ context.Context, _ int, items []int) error { return fn(bg, items) }))
		require.NoError(t, k.Send(bg, 1))
		time.Sleep(time.Hour)
		require.NoError(t, k.Close())
		counts(t, k.Histograms(), map[string]time.Duration{"age": time.Minute, "processing": time.Second})

		c := batchchan.Must(batchchan.NewCaller(batchchan.Config[int]{Linger: time.Minute},
			func(_ context.Context, reqs []int, _ []batchchan.Result[int]) error { return fn(bg, reqs) }))
		_, err = c.Do(bg, 1)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		counts(t, c.Histograms(), map[string]time.Duration{"age": time.Minute, "processing": time.Second})

		ch := batchchan.NewChan[int](1)
		require.NoError(t, ch.Send(bg, 1))
		time.Sleep(time.Second) // the item is in it
		_, err = ch.Recv(bg)
		require.NoError(t, err)
		counts(t, ch.Histograms(), map[string]time.Duration{"wait": time.Second})
	})
}

// counts asserts that each of the named histograms holds one value, and which.
func counts(t *testing.T, all iter.Seq2[string, func(*stats.Snapshot)], want map[string]time.Duration) {
	t.Helper()
	seen := 0
	for name, add := range all {
		var s stats.Snapshot
		add(&s)
		require.Contains(t, want, name)
		require.EqualValues(t, 1, s.Count(), name)
		require.Equal(t, want[name], s.Max(), name)
		seen++
	}
	require.Len(t, want, seen)
}

// Each worker is labelled with Config.Name in profiles, whatever the type, also within and
// after a pprof.Do of the processor's own.
func TestWorkersAreLabelled(t *testing.T) {
	for name, run := range map[string]func(cfg batchchan.Config[int], process func(context.Context)) error{
		"Batcher": func(cfg batchchan.Config[int], process func(context.Context)) error {
			b := batchchan.Must(batchchan.New(cfg, func(ctx context.Context, _ []int) error { process(ctx); return nil }))
			return errors.Join(b.Send(bg, 1), b.Close())
		},
		"Pipe": func(cfg batchchan.Config[int], process func(context.Context)) error {
			p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: cfg}, func(ctx context.Context, _, out []int) ([]int, error) { process(ctx); return out, nil }))
			return errors.Join(p.Send(bg, 1), p.Close())
		},
		"Caller": func(cfg batchchan.Config[int], process func(context.Context)) error {
			c := batchchan.Must(batchchan.NewCaller(cfg, func(ctx context.Context, _ []int, _ []batchchan.Result[int]) error { process(ctx); return nil }))
			_, err := c.Do(bg, 1)
			return errors.Join(err, c.Close())
		},
		"Keyed": func(cfg batchchan.Config[int], process func(context.Context)) error {
			k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg}, func(v int) int { return v }, func(ctx context.Context, _ int, _ []int) error { process(ctx); return nil }))
			return errors.Join(k.Send(bg, 1), k.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			label := "worker of a " + name
			var within, after bytes.Buffer
			require.NoError(t, run(batchchan.Config[int]{Name: label}, func(ctx context.Context) {
				pprof.Do(ctx, pprof.Labels("step", "1"), func(context.Context) { _ = pprof.Lookup("goroutine").WriteTo(&within, 1) })
				_ = pprof.Lookup("goroutine").WriteTo(&after, 1)
			}))
			require.Contains(t, within.String(), fmt.Sprintf(`{"poundlock":%q, "step":"1"}`, label))
			require.Contains(t, after.String(), fmt.Sprintf(`{"poundlock":%q}`, label))
		})
	}
}
