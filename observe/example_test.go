package observe_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/observe"
)

// One line makes an instrument visible; here in the text that Prometheus scrapes.
func ExampleAdd() {
	var reg observe.Registry
	var mu locks.SpinMutex
	balance := 0 // guarded by mu
	if _, err := observe.Add(&reg, "accounts", &mu); err != nil {
		fmt.Println(err)
		return
	}
	mu.Lock()
	balance++
	mu.Unlock()

	var out strings.Builder
	if err := reg.WriteText(context.Background(), &out); err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "acquired") {
			fmt.Print(line)
		}
	}
	fmt.Println(balance)
	// Output:
	// # HELP poundlock_locks_spin_acquired_total Times the lock was acquired, by whatever method
	// # TYPE poundlock_locks_spin_acquired_total counter
	// poundlock_locks_spin_acquired_total{name="accounts"} 1
	// 1
}

// A struct of another library whose types mislead gets a mapping.
func ExampleAddFunc() {
	client := func() (hits, idle uint32) { return 12, 3 } // it counts both in a uint32

	type stats struct {
		Hits uint64 `json:"hits" help:"Connections found in the pool."`
		Idle int    `json:"idle" help:"Connections that wait for use."`
	}
	var reg observe.Registry
	remove, err := observe.AddFunc(&reg, "redis_pool", "cache", func() stats {
		hits, idle := client()
		return stats{uint64(hits), int(idle)}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer remove()
	for rd := range reg.All(context.Background()) {
		for _, v := range rd.Values {
			if rd.Kind == "redis_pool" {
				fmt.Println(rd.Name, v.Metric, v.Kind, v.Number)
			}
		}
	}
	// Output:
	// cache hits_total counter 12
	// cache idle gauge 3
}

// Mailer is a type of your own.
type Mailer struct {
	sent atomic.Uint64
	took observe.Histogram
}

type MailerStats struct {
	Sent uint64          `json:"sent"`
	Took observe.Latency `json:"took"`
}

func (m *Mailer) Stats() MailerStats {
	return MailerStats{Sent: m.sent.Load(), Took: m.took.Latency()}
}

// Histograms gives out what is behind the Latency fields.
func (m *Mailer) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
	return func(yield func(string, func(*observe.Snapshot)) bool) { yield("took", m.took.AddTo) }
}

func ExampleDistributed() {
	var m Mailer
	for range 100 {
		m.sent.Add(1)
		m.took.Record(20 * time.Millisecond)
	}
	reg := observe.Registry{Bounds: []time.Duration{10 * time.Millisecond, 100 * time.Millisecond}}
	if _, err := observe.Add(&reg, "news", &m); err != nil {
		fmt.Println(err)
		return
	}
	for rd := range reg.All(context.Background()) {
		for _, v := range rd.Values {
			if v.Snapshot != nil {
				fmt.Println(v.Metric, v.Snapshot.Count(), v.Snapshot.Quantile(0.99) > 19*time.Millisecond,
					observe.Cumulative(v.Snapshot, reg.Bounds))
			}
		}
	}
	// Output:
	// took_seconds 100 true [0 100]
}

func ExampleRegistry_WriteJSON() {
	var reg observe.Registry
	type stats struct {
		Jobs int `json:"jobs"`
	}
	if _, err := observe.AddFunc(&reg, "app", "main", func() stats { return stats{3} }); err != nil {
		fmt.Println(err)
		return
	}
	if err := reg.WriteJSON(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"app": {
	// "main": {"jobs":3}},
	// "poundlock_registry": {
	// "registry": {"sources":1,"stuck":0,"reads":1,"panics":0,"timeouts":0}}}
}
