//go:build !workerpool

package workerpoolbench

import "github.com/poundlock/poundlock/bench/internal/runner"

func poundlocks() []Peer { return nil }

func timings() []runner.Case { return nil }
