package runner

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/poundlock/poundlock/bench/internal/runner/report"
	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
)

// Main is the whole of a benchmark command: it measures the cases as the command
// line says, prints and writes the reports, and exits. A run of all cases takes
// about as long as full says.
func Main(full time.Duration, groups ...compare.Group) {
	if isChild() {
		os.Exit(child(groups, os.Stdout))
	}
	cases, err := flatten(groups)
	// The first interrupt ends the measuring and the report follows; a second one
	// ends the program.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(command{
		cases: cases, broken: err, full: full, launch: launch, stdout: os.Stdout, stderr: os.Stderr,
		name: commandName(), args: os.Args[1:], race: compare.RaceEnabled, version: version(),
	}.run(ctx))
}

// flatten makes the cases of all groups. The error tells what is wrong with them.
func flatten(groups []compare.Group) (cases []*compare.Case, err error) {
	for _, g := range groups {
		all := g.Cases()
		for i := range all {
			if all[i].Group != g.Name {
				return nil, fmt.Errorf("case %s is in the group %s", all[i].Key(), g.Name)
			}
			cases = append(cases, &all[i])
		}
	}
	return cases, checkCases(cases)
}

// Exit statuses.
const (
	statusOK          = 0
	statusShort       = 1 // a ratio below its minimum, or an implementation that failed
	statusUsage       = 2
	statusInterrupted = 130
)

// command is one run of the program, with all that it touches.
type command struct {
	cases          []*compare.Case
	broken         error         // what is wrong with the cases
	full           time.Duration // of a run of all cases
	launch         launcher
	stdout, stderr io.Writer
	name           string // how to call the program: "go run -C bench ."
	args           []string
	race           bool   // the race detector is on
	version        string // commit of the measured code
}

func (c command) run(ctx context.Context) int {
	o, err := parseOptions(c.args, c.stdout, c.race, c.full)
	if errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	if err == nil {
		err = c.broken
	}
	if err != nil {
		return c.fail(err)
	}
	if o.list {
		return c.list(o)
	}
	in, err := readInputs(o)
	if err != nil {
		return c.fail(err)
	}
	var r *result.Run
	if o.from != "" {
		r, err = result.Load(o.from)
	} else {
		r, err = c.measure(ctx, o, in.bars)
	}
	if err != nil {
		return c.fail(err)
	}
	return c.report(r, o, in)
}

// fail prints the one line that bad input deserves.
func (c command) fail(err error) int {
	fmt.Fprintln(c.stderr, "bench:", strings.ReplaceAll(err.Error(), "\n", "; "))
	return statusUsage
}

// measure takes the samples and writes raw.txt.
func (c command) measure(ctx context.Context, o *options, bars []result.Bar) (*result.Run, error) {
	us, err := selectUnits(c.cases, o)
	if err != nil {
		return nil, err
	}
	us = withFloor(us, c.cases, o, bars)
	info := result.Info{Command: c.line(), Version: c.version, Machine: machine(), Started: time.Now(), Race: c.race}
	raw, err := createRaw(o.out, info)
	if err != nil {
		return nil, err
	}
	defer raw.Close()

	b := newBudget(us, o)
	m := &campaign{units: us, budget: b, timeout: o.timeout, launch: c.launch, raw: raw, show: c.progress()}
	seed := uint64(o.seed)
	if seed == 0 {
		seed = uint64(info.Started.UnixNano())
	}
	m.rng = rand.New(rand.NewPCG(seed, 0))
	c.announce(us, b)
	err = m.measure(ctx)
	m.show.clear()
	if err != nil {
		return nil, err
	}
	info.Took, info.Samples, info.BenchTime = time.Since(info.Started), len(m.samples), b.benchTime.String()
	info.Rounds, info.Planned, info.Ended, info.Interrupted = m.rounds, b.rounds, m.ended, m.interrupted
	if m.ended != "" {
		if _, err := fmt.Fprintf(raw, "# %s\n", m.ended); err != nil {
			return nil, err
		}
	}
	return &result.Run{Info: info, Rows: rows(us, m.samples, c.race)}, raw.Close()
}

// announce tells what was chosen.
func (c command) announce(us []unit, b budget) {
	impls := 0
	var guess time.Duration
	for _, u := range us {
		impls += len(u.c.Impls)
		guess += b.guess(u) * time.Duration(b.rounds)
	}
	limit := ""
	if b.total > 0 {
		limit = fmt.Sprintf(", at most about %v", b.total.Round(10*time.Second))
		guess = min(guess, b.total)
	}
	fmt.Fprintf(c.stderr, "%s, %s, %s of %v a sample:\nabout %v%s\n", report.Count(len(us), "case"),
		report.Count(impls, "implementation"), report.Count(b.rounds, "round"), b.benchTime, roundTime(guess), limit)
}

func (c command) progress() *progress {
	p := &progress{w: c.stderr, width: func() int { return 0 }}
	if f, ok := c.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.live = true
		p.width = func() int { w, _, _ := term.GetSize(int(f.Fd())); return w }
	}
	return p
}

// list prints the cases that -run, -quick and -cpu choose.
func (c command) list(o *options) int {
	us, err := selectUnits(c.cases, o)
	if err != nil {
		return c.fail(err)
	}
	var last *compare.Case
	for _, u := range us {
		if u.c == last {
			continue
		}
		last = u.c
		names := make([]string, len(u.c.Impls))
		for i := range u.c.Impls {
			names[i] = u.c.Impls[i].Name
		}
		fmt.Fprintf(c.stdout, "%s\t%s\n", u.c.Key(), strings.Join(names, " "))
	}
	return statusOK
}

// createRaw makes the output directory and the raw.txt in it: a directory that
// cannot be written is found out before minutes of measuring, not after.
func createRaw(dir string, info result.Info) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(dir, "raw.txt"))
	if err != nil {
		return nil, err
	}
	return f, report.RawHeader(f, info)
}

// line is the command as the user would repeat it.
func (c command) line() string {
	s := c.name
	for _, a := range c.args {
		if strings.ContainsAny(a, " \t*?[](){}|&;<>$'\"\\") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		s += " " + a
	}
	return s
}

// commandName guesses how the program was started: go run builds into a
// temporary directory.
func commandName() string {
	exe := os.Args[0]
	if !strings.Contains(exe, "go-build") {
		return exe
	}
	flags := ""
	if tags := setting("-tags"); tags != "" {
		flags += "-tags " + tags + " "
	}
	if compare.RaceEnabled {
		flags += "-race "
	}
	if strings.TrimSuffix(filepath.Base(exe), ".exe") == "peers" {
		return "go run -C bench/peers " + flags + "."
	}
	return "go run -C bench " + flags + "."
}
