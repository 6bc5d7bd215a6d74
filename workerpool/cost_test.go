package workerpool_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/poundlock/poundlock/internal/stats"
	"github.com/poundlock/poundlock/workerpool"
)

func benchSubmit(b *testing.B, producers int, submit func(func()) error) {
	b.ReportAllocs()
	ran := stats.NewCounter()
	f := func() { ran.Add(1) }
	var wg sync.WaitGroup
	for p := range producers {
		n := b.N / producers
		if p == 0 {
			n += b.N % producers
		}
		wg.Go(func() {
			for range n {
				if err := submit(f); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for ran.Load() < uint64(b.N) {
		runtime.Gosched()
	}
}

func BenchmarkSubmit(b *testing.B) {
	for _, workers := range []int{2, 8, 256} {
		for _, producers := range []int{1, 2} {
			name := fmt.Sprintf("workers=%d/producers=%d/impl=", workers, producers)
			b.Run(name+"poundlock", func(b *testing.B) {
				p, err := workerpool.New(workerpool.Config{MaxWorkers: workers})
				if err != nil {
					b.Fatal(err)
				}
				benchSubmit(b, producers, p.Submit)
				p.Close()
			})
		}
	}
}
