package observe_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/workerpool"
)

// conn is a connection to nowhere.
type conn struct{}

// The stall report of a workerpool and the leak report of a connpool break rules, once each,
// and what was going on then is captured.
func TestHooksOfPoolsBreakRules(t *testing.T) {
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: t.TempDir()})
	require.NoError(t, err)
	take := []observe.Profile{observe.GoroutineProfile}
	got, stats, _ := watched(t, observe.WatcherConfig{
		Captures: c, Quiet: -1,
		Rules: []observe.Rule{{Name: "stalled-task", Take: take}, {Name: "leaked-loan", Take: take}},
	}, func(w *observe.Watcher) {
		pool, err := workerpool.New(workerpool.Config{Name: "orders", Monitor: &workerpool.Monitor{
			StallAfter: 5 * time.Second,
			OnStall: func(r workerpool.StallReport) {
				w.Report("stalled-task", fmt.Sprintf("%s: %d tasks", r.Pool, len(r.Tasks)))
			},
		}})
		require.NoError(t, err)
		conns, err := connpool.New(connpool.Config[conn]{
			Name: "db", Dial: func(context.Context) (conn, error) { return conn{}, nil }, Close: func(conn) error { return nil },
			LeakAfter: 20 * time.Second,
			OnLeaked:  func(_ conn, i connpool.Info) { w.Report("leaked-loan", fmt.Sprint("of connection ", i.ID)) },
		})
		require.NoError(t, err)
		loan, err := conns.Acquire(context.Background())
		require.NoError(t, err)
		require.NoError(t, pool.Submit(func() { time.Sleep(time.Minute) }))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		loan.Release()
		require.NoError(t, conns.Close())
		require.NoError(t, pool.Close())
	})
	require.Len(t, got, 2)
	for i, want := range []string{"stalled-task orders: 1 tasks", "leaked-loan of connection 1"} {
		require.Equal(t, want, got[i].Rule+" "+got[i].What)
		require.Len(t, got[i].Files, 1)
	}
	require.EqualValues(t, 2, stats.Captures)
}
