// Package load compares the shop with its plain twin: each in a process of its own,
// in turns, at the same rates, with the same requests, whether it keeps up or not (an
// open loop: a request is sent when its time has come). What disturbs the machine for a
// while disturbs all twins of a round: so ratios are made within rounds, and printed as
// their median with the lowest and the highest.
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
	Rounds   int           // of each twin at each rate
	Plot     string        // file, or ""
}

// Twin is a way to serve.
type Twin struct {
	Name string
	Args []string
}

// twins are what is compared. The third tells how much of the difference is the
// memory cache alone, the fourth what no shop can save.
var twins = []Twin{
	{"shop", nil},
	{"plain", []string{"-plain"}},
	{"plain+memory", []string{"-plain", "-memory"}},
	{bare, []string{"-bare"}},
}

// bare gives fixed answers.
const bare = "bare"

// Run compares and prints a table, each rate when it is done; progress goes to
// standard error.
func Run(ctx context.Context, cfg Config, out io.Writer) error {
	var rates []int
	for _, r := range strings.Split(cfg.Rates, ",") {
		n, err := strconv.Atoi(r)
		if err != nil || n < 1 {
			return fmt.Errorf("rates: %q is not a number above 0", r)
		}
		if len(rates) > 0 && n <= rates[len(rates)-1] {
			return fmt.Errorf("rates: %d does not rise", n)
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
	cells := make([]Cell, len(twins))
	for i, t := range twins {
		cells[i] = Cell{Mix: name, Twin: t.Name, Rate: rate}
	}
	for n := range cfg.Rounds {
		for i := range twins {
			i = (i + n) % len(twins) // nobody is always first
			progress("%-8s %6d/s  round %d of %d  %-14s", name, rate, n+1, cfg.Rounds, twins[i].Name)
			r, err := measure(ctx, cfg, twins[i], m, rate)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", twins[i].Name, err)
			}
			cells[i].Rounds = append(cells[i].Rounds, r)
		}
	}
	progress("")
	return cells, nil
}

// progress tells on a terminal what is measured now, in one line that is rewritten.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(os.Stderr, "\r"+format+"\x1b[K", args...)
	}
}

// measure starts a twin, warms it up and attacks it.
func measure(ctx context.Context, cfg Config, t Twin, m mix, rate int) (_ Round, err error) {
	if err := prepare(ctx, cfg.Redis, cfg.Products, !m.cold); err != nil {
		return Round{}, err
	}
	s, err := start(ctx, cfg.Exe, append(t.Args[:len(t.Args):len(t.Args)], cfg.Args...))
	if err != nil {
		return Round{}, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err = attack(ctx, s, m, cfg.Products, warmSeed, min(rate, 2000), warmUp, new(result)); err != nil {
		return Round{}, err
	}
	before, err := s.figures()
	if err != nil {
		return Round{}, err
	}
	var r result
	if err = attack(ctx, s, m, cfg.Products, seed, rate, cfg.Duration, &r); err != nil {
		return Round{}, err
	}
	r.Close()
	after, err := s.figures()
	return round(r, before, after, cfg.Duration), err
}

const warmUp = 2 * time.Second

// The requests of the warm-up are others than those that are measured: else each product
// of these would be in memory before.
const warmSeed, seed = 1, 2
