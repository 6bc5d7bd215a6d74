package workerpool_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/stats"
	"github.com/poundlock/poundlock/workerpool"
)

func TestStatsAreReadable(t *testing.T) {
	watch(t)
	p := newPool(t, workerpool.Config{Name: "mail", MaxWorkers: 1, Timing: workerpool.Every, OnPanic: func(*workerpool.PanicError) {}})
	v := p.Limit(2)
	require.NoError(t, p.Submit(func() { panic("x") }))
	require.NoError(t, v.Submit(func() {}))
	require.NoError(t, p.Wait(bg))
	st := closeAndCheck(t, p)
	text := st.String()
	require.True(t, strings.HasPrefix(text, "mail: 0 of 0 workers active, at most 1 (1 ever); 0 queued, 0 waiting for room\nsubmitted 2, completed 1, failed 1, panics 1\nqueue wait p50 "), text)
	require.Equal(t, "mail: 0 of 2 running, 0 queued, 0 waiting for room, 1 ended, 0 dropped", v.Stats().String())
	require.Contains(t, st.LogValue().String(), "submitted=2")
	require.Equal(t, slog.KindGroup, v.Stats().LogValue().Kind())
	require.Equal(t, "0 of 0 workers active, at most 0 (0 ever); 0 queued, 0 waiting for room\nsubmitted 0, completed 0", workerpool.Stats{}.String())
	asJSON, err := json.Marshal(st)
	require.NoError(t, err)
	require.Contains(t, string(asJSON), `"high_water":1`)
}

// The distributions are those of the summaries, also while tasks run.
func TestHistograms(t *testing.T) {
	for _, timing := range []workerpool.Timing{workerpool.Sampled, workerpool.Every, workerpool.Off} {
		watch(t)
		p := newPool(t, workerpool.Config{Timing: timing})
		read := func() map[string]uint64 {
			got := map[string]uint64{}
			for name, add := range p.Histograms() {
				var s stats.Snapshot
				add(&s)
				got[name] = s.Latency().Count
			}
			return got
		}
		for i := range 1000 {
			require.NoError(t, p.Submit(func() {}))
			if i%100 == 0 {
				read()
			}
		}
		st := closeAndCheck(t, p)
		if timing == workerpool.Off {
			require.Empty(t, read())
			continue
		}
		require.Equal(t, map[string]uint64{"queue_wait": st.QueueWait.Count, "run_time": st.RunTime.Count}, read())
		require.InDelta(t, 1000, st.RunTime.Count, 16)
	}
	for range new(workerpool.Pool).Histograms() {
		t.Error("of the zero pool")
	}
	for range new(workerpool.FuncPool[int]).Histograms() {
		t.Error("of the zero pool")
	}
}

func TestMust(t *testing.T) {
	watch(t)
	p := workerpool.Must(workerpool.New(workerpool.Config{}))
	require.NoError(t, p.Do(bg, workerpool.Task{Timeout: time.Minute, Run: func(context.Context) error { return nil }}))
	closeAndCheck(t, p)
	require.PanicsWithError(t, "workerpool: MaxWorkers -1 is negative", func() { workerpool.Must(workerpool.New(workerpool.Config{MaxWorkers: -1})) })
}

func TestOverflowText(t *testing.T) {
	text, err := json.Marshal(map[string]workerpool.Overflow{"o": workerpool.DropOldest})
	require.NoError(t, err)
	require.Equal(t, `{"o":"DropOldest"}`, string(text))
	require.Equal(t, "Overflow(9)", workerpool.Overflow(9).String())
}
