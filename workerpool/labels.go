package workerpool

import (
	"context"
	"runtime/pprof"
	"unsafe"

	"github.com/poundlock/poundlock/internal/rt"
)

// The keys of the pprof labels that workers carry.
const (
	poolLabel = "poundlock" // Config.Name
	taskLabel = "task"      // Task.Label
)

// cleanLabels returns a ctx that has the labels of a pool's idle workers alone.
func cleanLabels(name string) context.Context {
	if name == "" {
		return context.Background()
	}
	return pprof.WithLabels(context.Background(), pprof.Labels(poolLabel, name))
}

// setLabels gives the calling goroutine the labels of clean, instead of those that it
// inherited when it was started, or that a task set. It returns what rt.Labels says then.
func setLabels(clean context.Context) unsafe.Pointer {
	pprof.SetGoroutineLabels(clean)
	return rt.Labels()
}

// withLabels returns ctx with the labels of a task that has one of its own.
func withLabels(ctx context.Context, pool, task string) context.Context {
	if pool == "" {
		return pprof.WithLabels(ctx, pprof.Labels(taskLabel, task))
	}
	return pprof.WithLabels(ctx, pprof.Labels(poolLabel, pool, taskLabel, task))
}
