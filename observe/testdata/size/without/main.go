// A program that uses pools and locks, and logs what they count.
package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/workerpool"
)

func main() {
	pool, err := workerpool.New(workerpool.Config{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var mu locks.SpinMutex
	slog.Info("state", "pool", pool.Stats(), "mu", mu.Stats())
}
