package observe_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/lockfree"
	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/objpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/workerpool"
)

// Every distribution in the Stats of poundlock's types can be added up and taken for the
// last seconds: its type gives it out, under the field's own name. One under another name
// would be an empty histogram for ever.
func TestEveryLatencyOfPoundlockIsGivenOut(t *testing.T) {
	found := map[string]int{}
	given(t, found, observe.Source[observe.RuntimeStats](new(observe.Runtime)))

	pool, err := workerpool.New(workerpool.Config{})
	require.NoError(t, err)
	given(t, found, pool)
	given(t, found, pool.Limit(1))
	require.NoError(t, pool.Close())
	funcs, err := workerpool.NewFunc(workerpool.Config{}, func(int) {})
	require.NoError(t, err)
	given(t, found, funcs)
	require.NoError(t, funcs.Close())

	batcher, err := batchchan.New(batchchan.Config[int]{}, func(context.Context, []int) error { return nil })
	require.NoError(t, err)
	given(t, found, batcher)
	require.NoError(t, batcher.Close())
	queue, err := batchchan.NewQueue(batchchan.Config[int]{})
	require.NoError(t, err)
	given(t, found, queue)
	require.NoError(t, queue.Close())
	pipe, err := batchchan.NewPipe(batchchan.PipeConfig[int]{}, func(_ context.Context, in, out []int) ([]int, error) { return append(out, in...), nil })
	require.NoError(t, err)
	given(t, found, pipe)
	require.NoError(t, pipe.Close())
	caller, err := batchchan.NewCaller(batchchan.Config[int]{}, func(context.Context, []int, []batchchan.Result[int]) error { return nil })
	require.NoError(t, err)
	given(t, found, caller)
	require.NoError(t, caller.Close())
	keyed, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{}, func(i int) int { return i }, func(context.Context, int, []int) error { return nil })
	require.NoError(t, err)
	given(t, found, keyed)
	require.NoError(t, keyed.Close())
	given(t, found, batchchan.NewChan[int](1))

	dial := func(context.Context) (conn, error) { return conn{}, nil }
	closed := func(conn) error { return nil }
	conns, err := connpool.New(connpool.Config[conn]{Dial: dial, Close: closed})
	require.NoError(t, err)
	given(t, found, conns)
	require.NoError(t, conns.Close())
	hosts, err := connpool.NewKeyed(connpool.KeyedConfig[string, conn]{
		Dial: func(context.Context, string) (conn, error) { return conn{}, nil },
		Pool: connpool.Config[conn]{Close: closed},
	})
	require.NoError(t, err)
	given(t, found, hosts)
	require.NoError(t, hosts.Close())

	// A lock has its distributions from when somebody waits for it.
	rw, spin := new(locks.RWMutex), new(locks.SpinMutex)
	rw.Lock()
	read := make(chan struct{})
	go func() {
		defer close(read)
		rw.RLock()
		defer rw.RUnlock()
	}()
	require.Eventually(t, func() bool { return rw.Stats().Waiting > 0 }, 10*time.Second, time.Millisecond)
	rw.Unlock()
	<-read
	given(t, found, rw)
	spin.SetName("spin")
	given(t, found, spin)
	given(t, found, locks.NewKeyed[int]())
	given(t, found, lockfree.New[int]())
	objects, err := objpool.New(objpool.Config[int]{New: func() int { return 0 }})
	require.NoError(t, err)
	given(t, found, objects)

	for kind, least := range map[string]int{
		"poundlock_runtime": 2, "poundlock_workerpool": 2, "poundlock_batchchan": 2, "poundlock_batchchan_chan": 1,
		"poundlock_connpool": 3, "poundlock_locks_rw": 2, "poundlock_locks_spin": 1, "poundlock_locks_keyed": 2,
	} {
		require.GreaterOrEqual(t, found[kind], least, "%s of %v", kind, found)
	}
}

// given counts the distributions of a source, all of which must be given out.
func given[S any](t *testing.T, found map[string]int, src observe.Source[S]) {
	t.Helper()
	names := map[string]bool{}
	if d, ok := src.(observe.Distributed); ok {
		for name := range d.Histograms() {
			names[name] = true
		}
	}
	var r observe.Registry
	add(t, &r, "x", src)
	kind, missing := "", maps.Clone(names)
	for rd := range r.All(t.Context()) {
		require.NoError(t, rd.Err)
		if rd.Kind == "poundlock_registry" {
			continue
		}
		kind = rd.Kind
		found[kind] = 0
		for _, v := range rd.Values {
			if v.Kind == observe.Distribution {
				found[kind]++
				require.NotNil(t, v.Snapshot, "%s %s has no Histograms", kind, v.Name)
				require.True(t, names[v.Name], "%s %s is not given out", kind, v.Name)
				delete(missing, v.Name)
			}
		}
	}
	require.Empty(t, missing, "%s gives out what it does not have", kind)
}
