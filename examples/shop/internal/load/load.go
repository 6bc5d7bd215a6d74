// Package load compares the shop with its plain twin: each in a process of its own,
// in turns, at the same rates, with the same requests, whether it keeps up or not (an
// open loop: a request is sent when its time has come).
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// Config says what is compared.
type Config struct {
	Exe  string   // the command that serves
	Args []string // of both twins
	Real bool     // PostgreSQL and Redis are servers, not stand-ins in the twins' processes

	Redis    []string // addresses, to fill or empty the cache before each round
	Products int64    // with numbers from 1
	Mixes    []string
	Rates    string        // rising, with commas
	Duration time.Duration // of each round
	Rounds   int           // of each twin at each rate; their requests count together
	Plot     string        // file, or ""
}

// Twin is a way to serve.
type Twin struct {
	Name string
	Args []string
}

// twins are what is compared. The third tells how much of the difference is the
// memory cache alone.
var twins = []Twin{
	{"shop", nil},
	{"plain", []string{"-plain"}},
	{"plain+memory", []string{"-plain", "-memory"}},
}

// Cell is one twin at one rate of one mix.
type Cell struct {
	Mix, Twin      string
	Rate           int
	OK             float64 // part of the requests that were answered as they should, 0..1
	P50, P99, P999 time.Duration
	CPU            time.Duration // of the server per request
	Queries, Redis float64       // statements and Redis round trips per request
	Bytes, Allocs  float64       // per request
	GC             float64       // collections per second
	GCShare        float64       // of the server's CPU time
}

// limit is the P99 up to which a rate is sustained.
const limit = 50 * time.Millisecond

func (c Cell) sustained() bool { return c.OK >= 0.999 && c.P99 <= limit }

// Run compares and prints a table, each rate when it is done; progress goes to
// standard error.
func Run(ctx context.Context, cfg Config, out io.Writer) error {
	var rates []int
	for _, r := range strings.Split(cfg.Rates, ",") {
		n, err := strconv.Atoi(r)
		if err != nil || n < 1 {
			return fmt.Errorf("rates: %q is not a number above 0", r)
		}
		rates = append(rates, n)
	}
	pay, err := servePayments()
	if err != nil {
		return err
	}
	defer pay.Close()
	cfg.Args = append(cfg.Args, "-payment", pay.URL)
	if !cfg.Real {
		fmt.Fprintln(out, "without real servers: CPU and allocations are those of the stand-ins, too")
	}
	var cells []Cell
	for _, name := range cfg.Mixes {
		mix, ok := mixes[name]
		if !ok {
			return fmt.Errorf("mix: %q is none of hot, cold, orders", name)
		}
		writeHead(out, mix)
		first := len(cells)
		for _, rate := range rates {
			found, err := compare(ctx, cfg, name, mix, rate)
			if err != nil {
				return fmt.Errorf("%s at %d/s: %w", name, rate, err)
			}
			writeRate(out, found)
			cells = append(cells, found...)
		}
		writeSummary(out, cells[first:])
	}
	if cfg.Plot == "" {
		return nil
	}
	f, err := os.Create(cfg.Plot)
	if err != nil {
		return err
	}
	plot(f, cells)
	return f.Close()
}

// compare attacks every twin at a rate, in turns, Rounds times.
func compare(ctx context.Context, cfg Config, name string, m mix, rate int) ([]Cell, error) {
	results := make([]result, len(twins))
	costs := make([]goods.Figures, len(twins))
	for round := range cfg.Rounds {
		for i := range twins {
			i = (i + round) % len(twins) // nobody is always first
			progress("%-8s %6d/s  round %d  %-14s", name, rate, round+1, twins[i].Name)
			cost, err := measure(ctx, cfg, twins[i], m, rate, &results[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", twins[i].Name, err)
			}
			costs[i] = add(costs[i], cost)
		}
	}
	progress("")
	cells := make([]Cell, len(twins))
	for i, t := range twins {
		results[i].Close()
		cells[i] = cell(results[i], costs[i], time.Duration(cfg.Rounds)*cfg.Duration)
		cells[i].Mix, cells[i].Twin, cells[i].Rate = name, t.Name, rate
	}
	return cells, nil
}

// progress tells on a terminal what is measured now, in one line that is rewritten.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r"+format+"\x1b[K", args...)
	}
}

// measure starts a twin, warms it up, attacks it, and returns what that cost.
func measure(ctx context.Context, cfg Config, t Twin, m mix, rate int, r *result) (cost goods.Figures, err error) {
	if err := prepare(ctx, cfg.Redis, cfg.Products, !m.cold); err != nil {
		return cost, err
	}
	s, err := start(ctx, cfg.Exe, append(t.Args[:len(t.Args):len(t.Args)], cfg.Args...))
	if err != nil {
		return cost, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err = attack(ctx, s, m, cfg.Products, min(rate, 2000), warmUp, new(result)); err != nil {
		return cost, err
	}
	before, err := s.figures()
	if err != nil {
		return cost, err
	}
	if err = attack(ctx, s, m, cfg.Products, rate, cfg.Duration, r); err != nil {
		return cost, err
	}
	after, err := s.figures()
	return sub(after, before), err
}

const warmUp = 2 * time.Second

func add(a, b goods.Figures) goods.Figures {
	a.CPU, a.Bytes, a.Objects, a.GCCycles = a.CPU+b.CPU, a.Bytes+b.Bytes, a.Objects+b.Objects, a.GCCycles+b.GCCycles
	a.GCCPU, a.Queries, a.Commands = a.GCCPU+b.GCCPU, a.Queries+b.Queries, a.Commands+b.Commands
	return a
}

func sub(a, b goods.Figures) goods.Figures {
	a.CPU, a.Bytes, a.Objects, a.GCCycles = a.CPU-b.CPU, a.Bytes-b.Bytes, a.Objects-b.Objects, a.GCCycles-b.GCCycles
	a.GCCPU, a.Queries, a.Commands = a.GCCPU-b.GCCPU, a.Queries-b.Queries, a.Commands-b.Commands
	return a
}

// cell makes figures per request of what an attack of some length measured and cost.
func cell(r result, cost goods.Figures, d time.Duration) Cell {
	n := float64(r.Requests)
	return Cell{
		OK: r.Success, P50: r.Latencies.P50, P99: r.Latencies.P99, P999: r.Latencies.Quantile(0.999),
		CPU:     time.Duration(float64(cost.CPU) / n),
		Queries: float64(cost.Queries) / n, Redis: float64(cost.Commands) / n,
		Bytes: float64(cost.Bytes) / n, Allocs: float64(cost.Objects) / n,
		GC:      float64(cost.GCCycles) / d.Seconds(),
		GCShare: min(1, cost.GCCPU/max(cost.CPU.Seconds(), 1e-9)),
	}
}
