package observe_test

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/lockfree"
	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/objpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/internal/fieldhelp"
	"github.com/poundlock/poundlock/workerpool"
)

type breaker uint8

func (breaker) String() string { return "open" }

type embedded struct {
	Inner uint32
}

type inner struct {
	Open   int     `json:"open"`
	Misses uint64  `json:"misses"`
	Rate   float32 `json:"rate"`
}

// everything has every type that a field may have, with what becomes of it in the
// tag want.
type everything struct {
	Plain      uint64          `want:"plain_total counter"`
	Tagged     uint            `json:"other,omitempty" want:"other_total counter"`
	Total      uint64          `json:"bytes_total" want:"bytes_total counter"`
	ReadBytes  uint64          `want:"read_bytes_total counter bytes"`
	HeldBytes  int             `want:"held_bytes gauge bytes"`
	Bytes      int             `want:"bytes gauge"`
	State      breaker         `want:"state gauge"`
	Signed     int8            `want:"signed gauge"`
	Float      float64         `want:"float gauge"`
	HitRate    float64         `want:"hit_ratio gauge ratio"`
	Usage      float32         `want:"usage_ratio gauge ratio"`
	Flag       bool            `want:"flag gauge"`
	Uptime     time.Duration   `json:"uptime_ns" want:"uptime_seconds gauge seconds"`
	BusyTime   time.Duration   `json:"busy_time_ns" want:"busy_time_seconds_total counter seconds"`
	WaitTime   observe.Latency `json:"wait_time" want:"wait_time_seconds distribution seconds"`
	At         time.Time       `want:"at_timestamp_seconds gauge timestamp_seconds"`
	Once       int             `metric:"counter" want:"once_total counter"`
	Enough     uint64          `metric:"gauge" want:"enough gauge"`
	HTTPServer int             `want:"http_server gauge"`
	Dashed     int             `json:"a-b.c" want:"a_b_c gauge"`
	Inner      inner           `json:"conns" want:"conns_open gauge|conns_misses_total counter|conns_ratio gauge ratio"`
	Reasons    reasons         `json:"lost" want:"lost_total counter|lost_total counter"`
	embedded   `want:"inner_total counter"`

	Skipped  uint64 `metric:"-"`
	NotJSON  uint64 `json:"-"`
	Text     string
	Bag      map[string]int
	List     []uint64
	Pointer  *uint64
	Any      any
	Function func()
	private  uint64
}

func TestWhatBecomesOfAField(t *testing.T) {
	var want []string
	typ := reflect.TypeFor[everything]()
	for i := range typ.NumField() {
		if w := typ.Field(i).Tag.Get("want"); w != "" {
			want = append(want, strings.Split(w, "|")...)
		}
	}
	var r observe.Registry
	_, err := observe.AddFunc(&r, "x", "x", func() (e everything) { e.private++; return e })
	require.NoError(t, err)
	var got []string
	for rd := range r.All(t.Context()) {
		for _, v := range rd.Values {
			if rd.Kind == "x" {
				got = append(got, strings.TrimSpace(fmt.Sprint(v.Metric, " ", v.Kind, " ", v.Unit)))
			}
		}
	}
	require.Equal(t, want, got)
}

func TestValuesOfFields(t *testing.T) {
	at := time.Unix(100, 5e8)
	e := everything{
		Plain: 1, State: 2, Signed: -3, Float: 0.5, Flag: true, BusyTime: 1500 * time.Millisecond, At: at,
		WaitTime: observe.Latency{Count: 9}, Inner: inner{Open: 4}, Reasons: reasons{Full: 5, Closed: 6}, embedded: embedded{7},
	}
	var r observe.Registry
	_, err := observe.AddFunc(&r, "x", "x", func() *everything { return &e })
	require.NoError(t, err)
	got := map[string]float64{}
	for rd := range r.All(t.Context()) {
		for _, v := range rd.Values {
			if rd.Kind == "x" && v.Number != 0 {
				got[v.Name+"/"+v.Reason] = v.Number
			}
		}
	}
	require.Equal(t, map[string]float64{
		"plain/": 1, "state/": 2, "signed/": -3, "float/": 0.5, "flag/": 1, "busy_time_ns/": 1.5, "at/": 100.5,
		"wait_time/": 9, "conns_open/": 4, "lost/full": 5, "lost/closed": 6, "inner/": 7,
	}, got)
}

// Every type of poundlock can be added, and its metrics are named and explained.
func TestEveryStatsOfPoundlock(t *testing.T) {
	var r observe.Registry
	ok := func(_ func(), err error) { t.Helper(); require.NoError(t, err) }
	pool, err := workerpool.New(workerpool.Config{})
	require.NoError(t, err)
	ok(observe.Add(&r, "x", pool))
	ok(observe.Add(&r, "x", new(locks.RWMutex)))
	ok(observe.Add(&r, "x", new(locks.SpinMutex)))
	ok(observe.Add(&r, "x", new(lockfree.Queue[int])))
	ok(observe.AddFunc(&r, "poundlock_batchchan", "x", func() (s batchchan.Stats) { return s }))
	ok(observe.AddFunc(&r, "poundlock_batchchan_keyed", "x", func() (s batchchan.KeyedStats) { return s }))
	ok(observe.AddFunc(&r, "poundlock_batchchan_chan", "x", func() (s batchchan.ChanStats) { return s }))
	ok(observe.AddFunc(&r, "poundlock_connpool", "x", func() (s connpool.Stats) { return s }))
	ok(observe.AddFunc(&r, "poundlock_objpool", "x", func() (s objpool.Stats) { return s }))
	var kinds []string
	for rd := range r.All(t.Context()) {
		require.NoError(t, rd.Err)
		require.NotEmpty(t, rd.Values)
		kinds = append(kinds, rd.Kind)
		for _, v := range rd.Values {
			require.False(t, strings.HasPrefix(v.Help, "Field "), "%s %s has no comment", rd.Kind, v.Name)
		}
	}
	require.Contains(t, kinds, "poundlock_workerpool")
	require.Contains(t, kinds, "poundlock_locks_spin")
	require.Contains(t, kinds, "poundlock_lockfree")
	require.NoError(t, pool.Close())
	checkText(t, text(t, &r))
}

// go generate ./observe writes the texts anew.
func TestHelpTextsAreFresh(t *testing.T) {
	for _, dir := range fieldhelp.Dirs { // go test sees what is opened here, and runs again when it changed
		_, err := os.ReadDir("../" + dir)
		require.NoError(t, err)
	}
	want, err := fieldhelp.Read(os.DirFS(".."))
	require.NoError(t, err)
	for k, text := range want {
		require.Equal(t, text, observe.HelpTexts[k], "%s: run go generate ./observe", k)
	}
	require.Len(t, observe.HelpTexts, len(want), "run go generate ./observe")
}

func TestHelpTexts(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"tasks accepted":                  "Tasks accepted",
		"Max is it.\nMore of\nthis.":      "Max is it",
		"see [Config], e.g.\nthis":        "See Config, e.g. this",
		"the first 64 that\n\thad to, so": "The first 64 that had to, so",
	} {
		require.Equal(t, want, fieldhelp.Sentence(in))
	}
	// Of a comment above several fields, what it says of this one.
	require.Equal(t, "WaitTime is what calls waited: the first 64, then one in eight, which counts for eight", observe.HelpTexts["connpool.Stats.WaitTime"])
	require.Equal(t, "Panics and Goexits of sources", observe.HelpTexts["observe.RegistryStats.Panics"])
	require.Contains(t, slices.Collect(func(yield func(string) bool) {
		for k := range observe.HelpTexts {
			if !yield(k) {
				return
			}
		}
	}), "objpool.Discards.Full")
}
