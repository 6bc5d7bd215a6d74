package migrate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/panjf2000/ants/v2"
	"github.com/poundlock/poundlock/workerpool"
	"github.com/stretchr/testify/require"
)

func antsBefore(tasks []func(), last func()) (refused int, err error) {
	pool, err := ants.NewPool(2, ants.WithNonblocking(true))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		if err := pool.Submit(task); errors.Is(err, ants.ErrPoolOverload) {
			refused++ // both workers are busy
		}
	}
	pool.Tune(3)
	if err := pool.Submit(last); err != nil {
		return refused, err
	}
	return refused, pool.ReleaseTimeout(10 * time.Second)
}

func antsAfter(tasks []func(), last func()) (refused int, err error) {
	pool, err := workerpool.New(workerpool.Config{
		MaxWorkers: 2,
		QueueSize:  workerpool.NoQueue,
		Overflow:   workerpool.Reject,
	})
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		if err := pool.Submit(task); errors.Is(err, workerpool.ErrFull) {
			refused++ // both workers are busy
		}
	}
	if err := pool.Resize(0, 3); err != nil {
		return refused, err
	}
	if err := pool.Submit(last); err != nil {
		return refused, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return refused, pool.Shutdown(ctx)
}

// Of four tasks that last two find no worker, and the last one lets them end, for which
// it needs a third worker.
func TestAnts(t *testing.T) {
	for name, run := range map[string]func([]func(), func()) (int, error){"before": antsBefore, "after": antsAfter} {
		t.Run(name, func(t *testing.T) {
			open := make(chan struct{})
			wait := func() { <-open }
			refused, err := run([]func(){wait, wait, wait, wait}, func() { close(open) })
			require.NoError(t, err)
			require.Equal(t, 2, refused)
		})
	}
}
