// The quiet program with a registry, and its text.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/observe"
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

	var reg observe.Registry
	_, err1 := observe.Add(&reg, "orders", pool)
	_, err2 := observe.Add(&reg, "accounts", &mu)
	fmt.Println(err1, err2, reg.WriteText(context.Background(), os.Stdout))
}
