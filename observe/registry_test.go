package observe_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
)

func TestZeroRegistryIsReady(t *testing.T) {
	var r observe.Registry
	require.Equal(t, map[string]error{"poundlock_registry/registry": nil}, errs(t, &r))
	require.Contains(t, text(t, &r), `poundlock_registry_sources{name="registry"} 0`)
}

func TestAddRefuses(t *testing.T) {
	var r observe.Registry
	add(t, &r, "taken", new(tiny))
	type pair struct{ A, B int }
	for what, c := range map[string]struct {
		add  func() (func(), error)
		want error
		says string
	}{
		"nil interface":     {func() (func(), error) { return observe.Add[tinyStats](&r, "x", nil) }, observe.ErrSource, "nil"},
		"nil pointer":       {func() (func(), error) { return observe.Add(&r, "x", (*tiny)(nil)) }, observe.ErrSource, "nil"},
		"nil function":      {func() (func(), error) { return observe.AddFunc[tinyStats](&r, "x", "x", nil) }, observe.ErrSource, "nil"},
		"no struct":         {func() (func(), error) { return observe.AddFunc(&r, "x", "x", func() int { return 1 }) }, observe.ErrSource, "int"},
		"a map":             {func() (func(), error) { return observe.AddFunc(&r, "x", "x", func() map[string]int { return nil }) }, observe.ErrSource, "map"},
		"an interface":      {func() (func(), error) { return observe.AddFunc(&r, "x", "x", func() any { return pair{} }) }, observe.ErrSource, "interface"},
		"pointer's pointer": {func() (func(), error) { return observe.AddFunc(&r, "x", "x", func() **pair { return nil }) }, observe.ErrSource, "*"},
		"duplicate":         {func() (func(), error) { return observe.Add(&r, "taken", new(tiny)) }, observe.ErrDuplicate, `"taken"`},
		"empty name":        {func() (func(), error) { return observe.Add(&r, "", new(tiny)) }, observe.ErrName, "without"},
		"newline":           {func() (func(), error) { return observe.Add(&r, "a\nb", new(tiny)) }, observe.ErrName, "control"},
		"quote":             {func() (func(), error) { return observe.Add(&r, `a"b`, new(tiny)) }, observe.ErrName, "quote"},
		"backslash":         {func() (func(), error) { return observe.Add(&r, `a\b`, new(tiny)) }, observe.ErrName, "backslash"},
		"not UTF-8":         {func() (func(), error) { return observe.Add(&r, "a\xff", new(tiny)) }, observe.ErrName, "UTF-8"},
		"long name":         {func() (func(), error) { return observe.Add(&r, strings.Repeat("x", 201), new(tiny)) }, observe.ErrName, "201"},
		"bad kind":          {func() (func(), error) { return observe.AddFunc(&r, "Jobs-1", "x", func() pair { return pair{} }) }, observe.ErrName, "Jobs-1"},
		"kind with digit":   {func() (func(), error) { return observe.AddFunc(&r, "1x", "x", func() pair { return pair{} }) }, observe.ErrName, "1x"},
		"empty kind":        {func() (func(), error) { return observe.AddFunc(&r, "", "x", func() pair { return pair{} }) }, observe.ErrName, `""`},
		"another struct": {func() (func(), error) {
			return observe.AddFunc(&r, "poundlock_observe_test_tiny", "y", func() pair { return pair{} })
		}, observe.ErrSource, "pair"},
		"two of one name": {func() (func(), error) {
			return observe.AddFunc(&r, "x", "x", func() (s struct {
				A uint64
				B uint64 `json:"a_total"`
			},
			) {
				return s
			})
		}, observe.ErrSource, "a_total"},
		"bad tag": {func() (func(), error) {
			return observe.AddFunc(&r, "x", "x", func() (s struct {
				A uint64 `metric:"rate"`
			},
			) {
				return s
			})
		}, observe.ErrSource, "rate"},
		"a distribution called counter": {func() (func(), error) {
			return observe.AddFunc(&r, "x", "x", func() (s struct {
				A observe.Latency `metric:"counter"`
			},
			) {
				return s
			})
		}, observe.ErrSource, "distribution"},
		"the registry's own": {func() (func(), error) { return observe.Add(&r, "registry", &r) }, observe.ErrDuplicate, "registry"},
		"a metric of another kind": {func() (func(), error) {
			return observe.AddFunc(&r, "poundlock", "x", func() (s struct {
				A uint64 `json:"observe_test_tiny_hits"`
			},
			) {
				return s
			})
		}, observe.ErrSource, "poundlock_observe_test_tiny_hits_total"},
	} {
		t.Run(what, func(t *testing.T) {
			remove, err := c.add()
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "observe: ")
			require.Nil(t, remove)
		})
	}
	require.Len(t, errs(t, &r), 2, "nothing of it stays")
}

// A kind has histograms or summaries, not both: a metric has one type.
func TestAKindIsDistributedOrNot(t *testing.T) {
	var r observe.Registry
	j := new(job)
	remove := add(t, &r, "a", j)
	_, err := observe.AddFunc(&r, "poundlock_observe_test_job", "b", j.Stats)
	require.ErrorIs(t, err, observe.ErrSource)
	remove()
	_, err = observe.AddFunc(&r, "poundlock_observe_test_job", "b", j.Stats)
	require.NoError(t, err, "the kind is free again")
}

func TestRemove(t *testing.T) {
	var r observe.Registry
	removeA := add(t, &r, "a", &tiny{1})
	removeB := add(t, &r, "b", &tiny{2})
	removeA()
	removeA()
	require.NotContains(t, text(t, &r), `name="a"`)
	removeA2 := add(t, &r, "a", &tiny{3})
	removeA()
	require.Contains(t, text(t, &r), `poundlock_observe_test_tiny_hits_total{name="a"} 3`, "removing again spares the successor")
	removeA2()
	removeB()
	require.Equal(t, map[string]error{"poundlock_registry/registry": nil}, errs(t, &r))
}

func TestPointerStats(t *testing.T) {
	var r observe.Registry
	s := &tinyStats{7}
	_, err := observe.AddFunc(&r, "x", "set", func() *tinyStats { return s })
	require.NoError(t, err)
	_, err = observe.AddFunc(&r, "x", "nil", func() *tinyStats { return nil })
	require.NoError(t, err)
	require.Contains(t, text(t, &r), `x_hits_total{name="set"} 7`)
	require.ErrorIs(t, errs(t, &r)["x/nil"], observe.ErrSource)
}

type noDriver struct{}

func (noDriver) Connect(context.Context) (driver.Conn, error) { return nil, errors.New("no") }
func (noDriver) Driver() driver.Driver                        { return nil }

func TestASQLDatabase(t *testing.T) {
	db := sql.OpenDB(noDriver{})
	db.SetMaxOpenConns(3)
	var r observe.Registry
	add(t, &r, "main", db)
	out := text(t, &r)
	require.Contains(t, out, `sql_db_max_open_connections{name="main"} 3`)
	require.Contains(t, out, `sql_db_wait_duration_seconds_total{name="main"} 0`)
	require.Contains(t, out, "# HELP sql_db_wait_count_total Connections waited for.\n# TYPE sql_db_wait_count_total counter\n")
	require.NoError(t, db.Close())
}

func TestRegistryIsSafeForConcurrentUse(t *testing.T) {
	var r observe.Registry
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 50 {
				remove, err := observe.Add(&r, fmt.Sprint(g, "-", i), &job{stats: jobStats{Done: uint64(i)}})
				if err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 {
					remove()
				}
			}
		})
		wg.Go(func() {
			for range 10 {
				if err := r.WriteText(t.Context(), new(strings.Builder)); err != nil {
					t.Error(err)
				}
				_ = r.String()
				r.LogValue()
			}
		})
	}
	wg.Wait()
	require.Equal(t, 100, r.Stats().Sources)
	require.Zero(t, r.Stats().Panics)
}
