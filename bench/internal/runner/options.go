package runner

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/poundlock/poundlock/bench/internal/runner/report"
)

// options are the command line.
type options struct {
	run       *regexp.Regexp
	list      bool
	quick     bool
	full      time.Duration // how long a run of all cases takes, about
	rounds    int           // 0: as many as the time allows, up to 12
	benchTime time.Duration // 0: what the time allows
	cpus      []int         // nil: as each case says
	timeout   time.Duration
	out       string
	outGiven  bool // -out was on the command line
	format    string
	compare   string
	failBelow []string
	slack     float64
	bars      string
	from      string
	update    []string
	seed      int64
}

// stringsFlag collects the values of a flag that may be repeated.
type stringsFlag []string

func (f *stringsFlag) String() string     { return strings.Join(*f, ",") }
func (f *stringsFlag) Set(s string) error { *f = append(*f, s); return nil }

// parseOptions reads the command line. The error is one line for the user, or
// flag.ErrHelp after the help was written to help.
func parseOptions(args []string, help io.Writer, race bool, full time.Duration) (*options, error) {
	o := &options{full: full}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	var run, cpu string
	fs.StringVar(&run, "run", "", "measure only the cases whose group/case matches `REGEXP`")
	fs.BoolVar(&o.list, "list", false, "list the cases and end")
	fs.BoolVar(&o.quick, "quick", false, fmt.Sprintf("the short run: fewer cases, about %.0f s in all", (full/quickShare).Seconds()))
	fs.IntVar(&o.rounds, "rounds", 0, "measure every implementation `N` times, however long that takes (default: up to 12 in the time)")
	fs.DurationVar(&o.benchTime, "benchtime", 0, "`DURATION` of one sample (default: chosen to fit the time)")
	fs.StringVar(&cpu, "cpu", "", "`LIST` of GOMAXPROCS values for every case, like 1,2,8 (default: as each case says)")
	fs.DurationVar(&o.timeout, "timeout", time.Minute, "an implementation that needs longer than `DURATION` for one sample has failed")
	fs.StringVar(&o.out, "out", "bench-results", "write report.html, raw.txt, results.json and run.json into `DIR`")
	fs.StringVar(&o.format, "format", "", "what to print: `summary|table|markdown|json|csv` (default: the summary, with -run the table)")
	fs.StringVar(&o.compare, "compare", "", "tell what got slower since the run kept in `OLD.json` (a results.json)")
	fs.Var((*stringsFlag)(&o.failBelow), "fail-below", "end with status 1 when a ratio is below its minimum in `FILE` (or directory of *.txt); may be repeated")
	fs.Float64Var(&o.slack, "slack", 1, "`FACTOR` in (0,1] that the minima of -fail-below are multiplied by, to allow for noise")
	fs.StringVar(&o.bars, "bars", "", "write every line of -fail-below and the figure reached to `FILE.md`, a section per bar file; the sections of other runs are kept")
	fs.StringVar(&o.from, "from", "", "measure nothing: report the run kept in `RESULTS.json` (the page is written when -out is given)")
	fs.Var((*stringsFlag)(&o.update), "update", "renew what stands between <!-- bench REGEXP --> (or bench:summary, or bench:chart NAME) and <!-- /bench --> in `FILE.md`; may be repeated")
	fs.Int64Var(&o.seed, "seed", 0, "`SEED` of the shuffle (default: the time)")
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(help, usage, full.Minutes())
		fs.SetOutput(help)
		fs.PrintDefaults()
		return nil, flag.ErrHelp
	}
	if err != nil {
		return nil, fmt.Errorf("%w (-help lists the flags)", err)
	}
	fs.Visit(func(f *flag.Flag) { o.outGiven = o.outGiven || f.Name == "out" })
	return o, o.check(fs.Args(), run, cpu, race)
}

const usage = `Compares every implementation of every case, side by side.
With no flags: all cases in about %v minutes, a summary here, the rest in bench-results/.

`

func (o *options) check(rest []string, run, cpu string, race bool) error {
	var err error
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q: cases are chosen with -run", rest[0])
	}
	if o.run, err = regexp.Compile(run); err != nil {
		return fmt.Errorf("-run %q: %w", run, err)
	}
	if cpu != "" {
		for s := range strings.SplitSeq(cpu, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(s))
			if err != nil || n < 1 || n > 4096 {
				return fmt.Errorf("-cpu %q: %q is not a number from 1 to 4096", cpu, s)
			}
			if !slices.Contains(o.cpus, n) {
				o.cpus = append(o.cpus, n)
			}
		}
	}
	if o.rounds < 0 {
		return fmt.Errorf("-rounds %d is negative", o.rounds)
	}
	if o.benchTime < 0 {
		return fmt.Errorf("-benchtime %v is negative", o.benchTime)
	}
	if o.timeout <= 0 {
		return fmt.Errorf("-timeout %v is not positive", o.timeout)
	}
	if !(o.slack > 0 && o.slack <= 1) {
		return fmt.Errorf("-slack %v is not in (0,1]", o.slack)
	}
	if o.format == "" {
		if o.format = "summary"; run != "" {
			o.format = "table"
		}
	}
	if !slices.Contains(report.Formats, o.format) {
		return fmt.Errorf("-format %q is none of %s", o.format, strings.Join(report.Formats, ", "))
	}
	if o.bars != "" && len(o.failBelow) == 0 {
		return errors.New("-bars needs the bars: -fail-below FILE")
	}
	if race && (len(o.failBelow) > 0 || o.compare != "" || o.bars != "") {
		return errors.New("-fail-below, -bars and -compare mean nothing under the race detector")
	}
	return nil
}
