// A program that uses pools and locks, prints what they count and has no slog.
package main

import (
	"fmt"
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
	fmt.Println(pool.Stats(), mu.Stats())
}
