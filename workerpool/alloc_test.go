package workerpool_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/workerpool"
)

func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, size := range []int{0, 1, 7, workerpool.Unbounded, workerpool.NoQueue} {
		for _, timing := range []workerpool.Timing{workerpool.Sampled, workerpool.Off, workerpool.Every} {
			watch(t)
			cfg := workerpool.Config{MaxWorkers: 1, QueueSize: size, Timing: timing}
			p := newPool(t, cfg)
			done := make(chan struct{}, 1)
			f := func() { done <- struct{}{} }
			submit := func() { _ = p.Submit(f); <-done }
			require.Zero(t, testing.AllocsPerRun(2000, submit), "Submit, queue %s, timing %d", queueName(size), timing)
			fp, err := workerpool.NewFunc(cfg, func([4]int) { done <- struct{}{} })
			require.NoError(t, err)
			require.Zero(t, testing.AllocsPerRun(2000, func() { _ = fp.Invoke([4]int{1}); <-done }), "Invoke, queue %s, timing %d", queueName(size), timing)
			require.NoError(t, fp.Close())
		}
	}
}

// Blocked submitters are reused.
func TestNoAllocationsOfBlockedSubmitters(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	watch(t)
	p := newPool(t, workerpool.Config{MaxWorkers: 1, QueueSize: 1})
	f := func() {}
	require.Less(t, testing.AllocsPerRun(20000, func() { _ = p.Submit(f) }), 0.01)
}
