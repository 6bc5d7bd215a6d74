package health_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/connpool/health"
)

// Two readings of a pool's statistics, ten seconds apart: of 1000 calls in between
// 300 ran into their deadline.
func ExampleMonitor() {
	m := health.NewMonitor(health.Config{})
	start := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	m.Observe(connpool.Stats{Acquires: 5000, Hits: 5000, MaxOpen: 10}, start)
	r := m.Observe(connpool.Stats{Acquires: 5700, Hits: 5700, Waits: 900, Timeouts: 300, MaxOpen: 10}, start.Add(10*time.Second))
	fmt.Println(r.Score < 100, r.Acquires, r.PerSecond)
	for _, f := range r.Findings {
		if f.Severity == health.Critical {
			fmt.Println(f.Code)
		}
	}
	// Output:
	// true 700 70
	// failed-acquires
}

// Calls of 100 ms and more are kept by the name of what was called.
func ExampleRecorder() {
	r := health.NewRecorder(health.RecorderConfig{Threshold: 100 * time.Millisecond})
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	r.Record("get user", 20*time.Millisecond, nil, at)
	r.Record("list orders", 300*time.Millisecond, nil, at)
	r.Record("list orders", 500*time.Millisecond, errors.New("cut off"), at)
	for _, c := range r.Calls() {
		fmt.Printf("%s: %d calls, %d failed, mean %v, max %v\n", c.Name, c.Count, c.Errors, c.Mean, c.Max)
	}
	// Output:
	// list orders: 2 calls, 1 failed, mean 400ms, max 500ms
}
