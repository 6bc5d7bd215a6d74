// Package observebench holds the case of what it costs the users of locks and queues that
// a monitoring system reads them.
package observebench

import (
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/observe"
)

// scrapeEvery is 150 times as often as Prometheus asks by default.
const scrapeEvery = 100 * time.Millisecond

// instruments is how many a reading has, beside the one that is used.
const instruments = 100

// Cases are those of the command.
func Cases() []compare.Case {
	return []compare.Case{{
		Group: "observe", Name: "scrape/every=100ms", Quick: true, Baselines: []string{"quiet"},
		Doc: "One op is a lock and an unlock, by one goroutine per P with a lock each, while somebody reads 100 instruments as text every 100 ms, or just wakes up.",
		Impls: []compare.Impl{
			{Name: "poundlock", Config: "WriteText every 100 ms", Bench: func(b *testing.B) { scrape(b, true) }},
			{Name: "quiet", Config: "the same timer, no reading", Bench: func(b *testing.B) { scrape(b, false) }},
		},
	}}
}

func scrape(b *testing.B, read bool) {
	var reg observe.Registry
	for i := range instruments {
		if _, err := observe.Add(&reg, fmt.Sprint("idle-", i), new(locks.SpinMutex)); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var reader sync.WaitGroup
	reader.Go(func() {
		tick := time.NewTicker(scrapeEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if read {
					if err := reg.WriteText(context.Background(), io.Discard); err != nil {
						b.Error(err)
					}
				}
			}
		}
	})
	var mu sync.Mutex
	var done uint64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var own locks.SpinMutex
		remove, err := observe.Add(&reg, fmt.Sprintf("busy-%p", &own), &own)
		if err != nil {
			b.Error(err)
			return
		}
		defer remove()
		n := uint64(0)
		for pb.Next() {
			own.Lock()
			n++
			own.Unlock()
		}
		mu.Lock()
		defer mu.Unlock()
		done += own.Stats().Acquired
	})
	b.StopTimer()
	cancel()
	reader.Wait()
	if done != uint64(b.N) {
		b.Fatalf("%d of %d locks", done, b.N)
	}
}
