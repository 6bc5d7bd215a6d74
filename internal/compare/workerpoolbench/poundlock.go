package workerpoolbench

import (
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/workerpool"
)

// poundlocks is the implementation that all others are held against.
func poundlocks() []Peer { return []Peer{poundlock("poundlock", workerpool.Config{})} }

// poundlock makes pools of workerpool with that configuration and a number of
// workers.
func poundlock(name string, cfg workerpool.Config) Peer {
	return Peer{
		Name:   name,
		Config: "defaults: queue of 1024, latencies timed for 1 task in 16",
		Queue:  Bounded,
		New: func(workers int) Pool {
			cfg := cfg
			cfg.MaxWorkers = workers
			p, err := workerpool.New(cfg)
			orPanic(err)
			return Pool{Submit: p.Submit, Close: func() { orPanic(p.Close()) }}
		},
		NewFunc: func(workers int, fn func(int)) FuncPool {
			cfg := cfg
			cfg.MaxWorkers = workers
			p, err := workerpool.NewFunc(cfg, fn)
			orPanic(err)
			return FuncPool{Invoke: p.Invoke, Close: func() { orPanic(p.Close()) }}
		},
	}
}

// timings are the cases of what the latency summaries cost: the default, which
// times 1 task in 16, against none.
func timings() []compare.Case {
	var impls []compare.Impl
	for _, t := range []struct {
		name, config string
		timing       workerpool.Timing
	}{
		{"poundlock", "Timing: Sampled, the default: 1 task in 16", workerpool.Sampled},
		{"poundlock-off", "Timing: Off", workerpool.Off},
		{"poundlock-every", "Timing: Every", workerpool.Every},
	} {
		p := poundlock(t.name, workerpool.Config{Timing: t.timing})
		impls = append(impls, compare.Impl{Name: t.name, Config: t.config, Bench: func(b *testing.B) {
			submitAll(b, p, 8, 1, nil)
		}})
	}
	return []compare.Case{newCase("stats/timing/workers=8/producers=1",
		"One op is an empty task, submitted and run, with latencies sampled, off, or taken of every task.",
		impls, "poundlock-off")}
}
