package workerpool

import "testing"

// The check that every call makes before it waits for its pool.
func BenchmarkOnWorkerStack(b *testing.B) {
	for b.Loop() {
		onWorkerStack()
	}
}
