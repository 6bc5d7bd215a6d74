package connpool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/internal/stats"
)

func config() connpool.Config[int] {
	n := 0
	return connpool.Config[int]{
		Name:    "db",
		Dial:    func(context.Context) (int, error) { n++; return n, nil },
		Close:   func(int) error { return nil },
		MaxOpen: 2,
	}
}

func keyedConfig() connpool.KeyedConfig[string, int] {
	c := config()
	c.Dial = nil
	return connpool.KeyedConfig[string, int]{
		Name: "all", Pool: c,
		Dial: func(context.Context, string) (int, error) { return 1, nil },
	}
}

func nothing(context.Context, int) error { return nil }

func TestANilCtxPanicsInThePackagesName(t *testing.T) {
	p := connpool.Must(connpool.New(config()))
	k := connpool.Must(connpool.NewKeyed(keyedConfig()))
	var none context.Context
	for name, f := range map[string]func(){
		"Acquire":        func() { _, _ = p.Acquire(none) },
		"Do":             func() { _ = p.Do(none, nothing) },
		"Warm":           func() { _ = p.Warm(none, 1) },
		"Shutdown":       func() { _ = p.Shutdown(none) },
		"Keyed.Acquire":  func() { _, _ = k.Acquire(none, "a") },
		"Keyed.Do":       func() { _ = k.Do(none, "a", nothing) },
		"Keyed.Warm":     func() { _ = k.Warm(none, "a", 1) },
		"Keyed.Shutdown": func() { _ = k.Shutdown(none) },
	} {
		require.PanicsWithValue(t, "connpool: nil Context", f, name)
	}
	require.NoError(t, p.Do(t.Context(), nothing), "nothing was closed")
	require.NoError(t, k.Do(t.Context(), "a", nothing))
	require.NoError(t, p.Close())
	require.NoError(t, k.Close())
}

func TestMustPanicsWithTheError(t *testing.T) {
	require.PanicsWithError(t, "connpool: Dial is nil", func() { connpool.Must(connpool.New(connpool.Config[int]{})) })
}

// The error of an operation that gave up says why its ctx ended.
func TestErrorsWrapTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connpool.Must(connpool.New(config()))
		k := connpool.Must(connpool.NewKeyed(keyedConfig()))
		a, b := connpool.Must(p.Acquire(t.Context())), connpool.Must(p.Acquire(t.Context()))
		c, d := connpool.Must(k.Acquire(t.Context(), "a")), connpool.Must(k.Acquire(t.Context(), "a"))
		why := errors.New("the user has left")
		p.Pause()
		for name, f := range map[string]func(context.Context) error{
			"Acquire":  func(ctx context.Context) error { _, err := p.Acquire(ctx); return err },
			"Do":       func(ctx context.Context) error { return p.Do(ctx, nothing) },
			"Keyed.Do": func(ctx context.Context) error { return k.Do(ctx, "a", nothing) },
			"Shutdown": p.Shutdown, "Keyed.Shutdown": k.Shutdown,
		} {
			if strings.Contains(name, "Shutdown") {
				continue
			}
			for _, early := range []bool{true, false} {
				ctx, cancel := context.WithCancelCause(t.Context())
				if early {
					cancel(why)
				} else {
					time.AfterFunc(time.Second, func() { cancel(why) })
				}
				err := f(ctx)
				require.ErrorIs(t, err, why, name)
				require.ErrorIs(t, err, context.Canceled, name)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		require.ErrorIs(t, p.Warm(ctx, 1), why)
		for _, shutdown := range []func(context.Context) error{p.Shutdown, k.Shutdown} {
			err := shutdown(ctx)
			require.ErrorIs(t, err, why)
			require.ErrorIs(t, err, context.Canceled)
			var left *connpool.ShutdownError
			require.ErrorAs(t, err, &left)
			require.Equal(t, connpool.ShutdownError{Name: "db", Err: left.Err, InUse: 2}, *left)
			require.ErrorContains(t, err, `connpool: "db": shutdown: context canceled: the user has left with 2 connections on loan`)
		}
		for _, done := range []<-chan struct{}{p.Done(), k.Done()} {
			select {
			case <-done:
				t.Error("done with connections on loan")
			default:
			}
		}
		for _, c := range []connpool.Conn[int]{a, b, c, d} {
			c.Release()
		}
		<-p.Done()
		<-k.Done()
		require.NoError(t, p.Close())
		require.NoError(t, k.Close())
	})
}

// A function of the pool that shuts it down would wait for itself.
func TestShutdownFromInside(t *testing.T) {
	for _, where := range []string{"Dial", "Check", "Reset", "Do", "a ctx derived from Do's"} {
		synctest.Test(t, func(t *testing.T) {
			var p *connpool.Pool[int]
			told := map[string]error{}
			cfg := config()
			cfg.CheckAfterIdle = -1
			end := func(ctx context.Context, at string) {
				if at == where {
					told[at] = p.Shutdown(ctx)
				}
			}
			cfg.Dial = func(ctx context.Context) (int, error) { end(ctx, "Dial"); return 1, nil }
			cfg.Check = func(ctx context.Context, _ int) error { end(ctx, "Check"); return nil }
			cfg.Reset = func(ctx context.Context, _ int) error { end(ctx, "Reset"); return nil }
			p = connpool.Must(connpool.New(cfg))
			for range 2 {
				require.NoError(t, p.Do(t.Context(), func(ctx context.Context, _ int) error {
					end(ctx, "Do")
					ctx, cancel := context.WithTimeout(ctx, time.Hour)
					defer cancel()
					end(ctx, "a ctx derived from Do's")
					return nil
				}))
			}
			synctest.Wait() // a Reset runs after Do has returned
			require.ErrorIs(t, told[where], connpool.ErrInside, where)
			require.NoError(t, p.Shutdown(t.Context()))
		})
	}
	// Of another pool it may be shut down, and a Keyed knows its keys' functions.
	p, q := connpool.Must(connpool.New(config())), connpool.Must(connpool.New(config()))
	k := connpool.Must(connpool.NewKeyed(keyedConfig()))
	require.NoError(t, p.Do(t.Context(), func(ctx context.Context, _ int) error { return q.Shutdown(ctx) }))
	require.ErrorIs(t, k.Do(t.Context(), "a", func(ctx context.Context, _ int) error { return k.Shutdown(ctx) }), connpool.ErrInside)
	r := connpool.Must(connpool.New(config()))
	require.ErrorIs(t, p.Do(t.Context(), func(ctx context.Context, _ int) error {
		return r.Do(ctx, func(ctx context.Context, _ int) error { return p.Shutdown(ctx) })
	}), connpool.ErrInside, "inside two pools")
	cfg := config()
	cfg.Dial = func(ctx context.Context) (int, error) { return 1, p.Shutdown(ctx) }
	dialing := connpool.Must(connpool.New(cfg))
	require.ErrorIs(t, p.Do(t.Context(), func(ctx context.Context, _ int) error {
		_, err := dialing.Acquire(ctx)
		return err
	}), connpool.ErrInside, "in a Dial that was begun from inside")
	require.NoError(t, dialing.Close())
	require.NoError(t, r.Close())
	require.NoError(t, k.Do(t.Context(), "a", func(ctx context.Context, _ int) error { return p.Shutdown(ctx) }))
	require.NoError(t, k.Shutdown(t.Context()))
}

// A key that cannot be hashed panics in every method, with nothing locked behind it.
func TestKeysThatCannotBeHashed(t *testing.T) {
	k := connpool.Must(connpool.NewKeyed(connpool.KeyedConfig[any, int]{
		Dial: func(context.Context, any) (int, error) { return 1, nil },
		Pool: connpool.Config[int]{Close: func(int) error { return nil }},
	}))
	bad := []int{1}
	for name, f := range map[string]func(){
		"Acquire":    func() { _, _ = k.Acquire(t.Context(), bad) },
		"TryAcquire": func() { _, _ = k.TryAcquire(bad) },
		"Do":         func() { _ = k.Do(t.Context(), bad, func(context.Context, int) error { return nil }) },
		"Warm":       func() { _ = k.Warm(t.Context(), bad, 1) },
		"Reset":      func() { k.Reset(bad) },
	} {
		require.Panics(t, f, name)
	}
	c, err := k.Acquire(t.Context(), "good") // takes every lock that they could have kept
	require.NoError(t, err)
	c.Release()
	require.Equal(t, []any{"good"}, k.Keys())
	require.Zero(t, k.Evict(func(any, connpool.Info) bool { return false }))
	require.NoError(t, k.Close())
}

func TestThePoolsNameIsInErrorsAndLabels(t *testing.T) {
	cfg := config()
	labels := make(chan string, 1)
	cfg.Dial = func(ctx context.Context) (int, error) {
		var b bytes.Buffer
		pprof.Do(ctx, pprof.Labels("step", "1"), func(context.Context) {}) // sets the labels of ctx at its end
		_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
		labels <- b.String()
		panic("boom")
	}
	p := connpool.Must(connpool.New(cfg))
	_, err := p.Acquire(t.Context())
	require.EqualError(t, err, `connpool: "db": dial: connpool: "db": Dial panicked: boom`)
	require.Contains(t, fmt.Sprintf("%+v", errors.Unwrap(err)), "public_test.go", "with the stack")
	require.Contains(t, <-labels, `"poundlock":"db"`)
	require.NoError(t, p.Close())
}

func TestStatsForPeopleAndMachines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connpool.Must(connpool.New(config()))
		k := connpool.Must(connpool.NewKeyed(keyedConfig()))
		for range 3 {
			require.NoError(t, p.Do(t.Context(), nothing))
			require.NoError(t, k.Do(t.Context(), "a", nothing))
		}
		require.Equal(t, "connpool: \"db\": 1 of 2 open (1 idle, 0 in use, 0 busy, 0 dialing, 0 closing), 0 waiting\n"+
			"3 loans (66.7% hits), waits p50 0s p99 0s max 0s, dials 1 (0 failed)", p.Stats().String())
		require.Contains(t, k.Stats().String(), "connpool: \"all\": 1 of 2 open")
		require.Contains(t, k.Stats().String(), "\n1 keys")
		var b bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&b, nil))
		log.Info("x", "stats", p.Stats(), "keyed", k.Stats())
		var line map[string]map[string]any
		_ = json.Unmarshal([]byte(strings.ReplaceAll(b.String(), `"level":"INFO","msg":"x",`, "")), &line)
		require.Contains(t, b.String(), `"stats":{"name":"db","acquires":3,`)
		require.Contains(t, b.String(), `"keyed":{"name":"all","keys":1,"acquires":3,`)
		both, err := json.Marshal(k.Stats())
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(both), `"name":`))
		require.NoError(t, p.Close())
		require.NoError(t, k.Close())
	})
}

// Each Latency of Stats has its distribution, while at work and after Close.
func TestHistogramsAreThoseOfStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connpool.Must(connpool.New(config()))
		k := connpool.Must(connpool.NewKeyed(keyedConfig()))
		same := func() {
			t.Helper()
			want := map[string]uint64{}
			for name, f := range p.Histograms() {
				var s stats.Snapshot
				f(&s)
				want[name] = s.Latency().Count
			}
			st := p.Stats()
			require.Equal(t, map[string]uint64{"wait_time": st.WaitTime.Count, "dial_time": st.DialTime.Count, "use_time": st.UseTime.Count}, want)
			clear(want)
			for name, f := range k.Histograms() {
				var s stats.Snapshot
				f(&s)
				want[name] = s.Latency().Count
			}
			sum := k.Stats()
			require.Equal(t, map[string]uint64{"wait_time": sum.WaitTime.Count, "dial_time": sum.DialTime.Count, "use_time": sum.UseTime.Count}, want)
			for range p.Histograms() {
				break
			}
		}
		same()
		require.NoError(t, p.Do(t.Context(), func(context.Context, int) error { same(); return nil }))
		for _, key := range []string{"a", "b"} {
			require.NoError(t, k.Do(t.Context(), key, nothing))
		}
		same()
		require.NotZero(t, p.Stats().UseTime.Count)
		require.EqualValues(t, 2, k.Stats().UseTime.Count)
		require.NoError(t, p.Close())
		require.NoError(t, k.Close())
		same()
	})
}
