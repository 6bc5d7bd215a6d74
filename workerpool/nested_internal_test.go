package workerpool

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The runtime gives the number of an ended goroutine to new ones. One that gets
// that of a worker, or of a goroutine that a task ended by runtime.Goexit, must
// not be taken for the worker.
func TestNumbersOfEndedWorkersAreForgotten(t *testing.T) {
	for _, size := range []int{0, NoQueue} {
		p, err := New(Config{MaxWorkers: 4, QueueSize: size})
		require.NoError(t, err)
		for range 50 {
			for range 4 {
				require.NoError(t, p.Submit(runtime.Goexit))
			}
			require.NoError(t, p.Resize(0, 1))
			var others sync.WaitGroup
			for range 50 {
				others.Go(func() {
					if p.c.desk.crew.roll.self() != nil {
						t.Error("a stranger was taken for a worker")
					}
				})
			}
			others.Wait()
			require.NoError(t, p.Resize(0, 4))
		}
		require.NoError(t, p.Close())
		require.Empty(t, p.c.desk.crew.roll.goroutines)
	}
}

func BenchmarkSelf(b *testing.B) {
	p, err := New(Config{})
	require.NoError(b, err)
	defer p.Close()
	for b.Loop() {
		p.c.desk.crew.roll.self()
	}
}
