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

	Redis    []string // addresses, to empty the cache before cold runs
	Products int64    // with numbers from 1
	Mixes    []string
	Rates    string // rising, with commas
	Duration time.Duration
	Plot     string // file, or ""
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
	Mix, Twin     string
	Rate          int
	OK            float64 // part of the requests that were answered as they should, 0..1
	P50, P99, P3  time.Duration
	CPU           time.Duration // of the server per request
	Queries, Redi float64       // statements and Redis round trips per request
	Bytes, Allocs float64       // per request
	GC            float64       // collections per second
	GCShare       float64       // of the server's CPU time
}

// limit is the P99 up to which a rate is sustained.
const limit = 50 * time.Millisecond

func (c Cell) sustained() bool { return c.OK >= 0.999 && c.P99 <= limit }

// Run compares and prints a table; progress goes to standard error.
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
	var cells []Cell
	for _, name := range cfg.Mixes {
		mix, ok := mixes[name]
		if !ok {
			return fmt.Errorf("mix: %q is none of hot, cold, orders", name)
		}
		for n, rate := range rates {
			for i := range twins {
				t := twins[(i+n)%len(twins)] // nobody is always first
				fmt.Fprintf(os.Stderr, "\r%-8s %-14s %6d/s ", name, t.Name, rate)
				c, err := measure(ctx, cfg, t, mix, rate)
				if err != nil {
					return fmt.Errorf("%s, %s at %d/s: %w", name, t.Name, rate, err)
				}
				c.Mix, c.Twin, c.Rate = name, t.Name, rate
				cells = append(cells, c)
			}
		}
	}
	fmt.Fprint(os.Stderr, "\r", strings.Repeat(" ", 40), "\r")
	write(out, cfg, cells)
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

// measure starts a twin, warms it up, and attacks it.
func measure(ctx context.Context, cfg Config, t Twin, m mix, rate int) (c Cell, err error) {
	if m.cold {
		if err := empty(ctx, cfg.Redis, cfg.Products); err != nil {
			return c, err
		}
	}
	s, err := start(ctx, cfg.Exe, append(t.Args[:len(t.Args):len(t.Args)], cfg.Args...))
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if _, err = attack(ctx, s, m, cfg.Products, min(rate, 1000), time.Second); err != nil {
		return c, err
	}
	before, err := s.figures()
	if err != nil {
		return c, err
	}
	a, err := attack(ctx, s, m, cfg.Products, rate, cfg.Duration)
	if err != nil {
		return c, err
	}
	after, err := s.figures()
	if err != nil {
		return c, err
	}
	return cell(a, before, after), nil
}

func cell(a result, before, after goods.Figures) Cell {
	n := float64(a.Requests)
	cpu := after.CPU - before.CPU
	return Cell{
		OK: a.Success, P50: a.Latencies.P50, P99: a.Latencies.P99, P3: a.Latencies.Quantile(0.999),
		CPU:     time.Duration(float64(cpu) / n),
		Queries: float64(after.Queries-before.Queries) / n, Redi: float64(after.Commands-before.Commands) / n,
		Bytes: float64(after.Bytes-before.Bytes) / n, Allocs: float64(after.Objects-before.Objects) / n,
		GC:      float64(after.GCCycles-before.GCCycles) / a.Duration.Seconds(),
		GCShare: min(1, (after.GCCPU-before.GCCPU)/max(cpu.Seconds(), 1e-9)),
	}
}
