package observe_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/poundlock/poundlock/observe"
)

// When orders wait for more than a second in the queue, the goroutines and the heap
// of that moment go to a directory. Here a pool's hook breaks the rule.
func ExampleWatcher() {
	dir, err := os.MkdirTemp("", "captures")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	captures, err := observe.NewCaptures(observe.CapturesConfig{Dir: dir, MaxFiles: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer captures.Close()

	var reg observe.Registry
	ctx, cancel := context.WithCancel(context.Background())
	w, err := observe.NewWatcher(observe.WatcherConfig{
		Registry: &reg,
		Captures: captures,
		Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		Rules: []observe.Rule{
			{Name: "slow-orders", When: observe.P99Above("poundlock_workerpool", "orders", "queue_wait", time.Second)},
			{Name: "leak", Take: []observe.Profile{observe.GoroutineProfile, observe.HeapProfile}},
		},
		OnBreach: func(b observe.Breach) {
			fmt.Println(b.Rule, b.What, len(b.Files), b.Err)
			cancel()
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	w.Report("leak", "a connection was held for 5m0s") // from connpool's OnLeak, say
	fmt.Println(w.Run(ctx))
	// Output:
	// leak a connection was held for 5m0s 2 <nil>
	// context canceled
}

func ExampleCaptures_Take() {
	dir, err := os.MkdirTemp("", "captures")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	captures, err := observe.NewCaptures(observe.CapturesConfig{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer captures.Close()
	files, err := captures.Take(context.Background(), "by-hand", observe.HeapProfile)
	for _, f := range files {
		_, rest, _ := cut(filepath.Base(f))
		fmt.Println(rest, err)
	}
	// Output: by-hand.heap.pprof <nil>
}

// cut takes time and number off a capture's name.
func cut(name string) (stamp, rest string, ok bool) {
	const stampLen = len("20060102T150405.000-0001-")
	if len(name) < stampLen {
		return "", "", false
	}
	return name[:stampLen], name[stampLen:], true
}
