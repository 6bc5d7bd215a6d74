package result

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bar is one line of a bar file: what a case must reach.
//
//	# CASE                      BASELINE      METRIC     BAR
//	workerpool/empty/.*         ants          ns/op      12      # at least 12 × faster
//	locks/read/hold=0           sync.RWMutex  ns/op      <=0.35  # at most 0.35 × its time
//	workerpool/sleep            ants          peak-bytes <=0.75
//	workerpool/submit           -             allocs/op  <=0     # the figure itself
//	locks/read/hold=0-8         sync.RWMutex  ns/op      2       # at GOMAXPROCS 8 alone
//
// CASE is a case's name or a regular expression that matches one whole, with or
// without -N for one GOMAXPROCS; the bar holds for each case that it matches.
// METRIC is one where less is better. BAR is the least ratio (the baseline's
// figure over ours), or with <= the most that ours may be of the baseline's;
// where BASELINE is "-", the most that our figure itself may be.
type Bar struct {
	File     string
	Line     int
	Case     string
	Baseline string // "-": the bar is a figure, not a ratio
	Metric   string
	Limit    float64
	AtMost   bool   // written with <=
	Note     string // what was tried where it is missed; "as above" repeats the bar before
	re       *regexp.Regexp
}

// At returns file:line.
func (b *Bar) At() string { return fmt.Sprintf("%s:%d", b.File, b.Line) }

// Absolute says whether the bar is a figure rather than a ratio.
func (b *Bar) Absolute() bool { return b.Baseline == "-" }

// Want returns the bar as it was written.
func (b *Bar) Want() string {
	n := strconv.FormatFloat(b.Limit, 'g', -1, 64)
	switch {
	case b.Absolute():
		return "<=" + n
	case b.AtMost:
		return "<=" + n + " ×"
	}
	return ">=" + n + " ×"
}

// Matches says whether the bar speaks of a case at a GOMAXPROCS.
func (b *Bar) Matches(key string, cpus int) bool {
	name := key + "-" + strconv.Itoa(cpus)
	return b.Case == key || b.Case == name || b.re != nil && (b.re.MatchString(key) || b.re.MatchString(name))
}

// ReadBars reads bar files; of a directory, all its *.txt. The error names file
// and line of what is malformed.
func ReadBars(paths ...string) ([]Bar, error) {
	var bars []Bar
	for _, p := range paths {
		files := []string{p}
		if st, err := os.Stat(p); err != nil {
			return nil, err
		} else if st.IsDir() {
			files, err = filepath.Glob(filepath.Join(p, "*.txt"))
			if err != nil {
				return nil, err
			}
			if len(files) == 0 {
				return nil, fmt.Errorf("%s: no *.txt in the directory", p)
			}
			slices.Sort(files)
		}
		for _, f := range files {
			more, err := readBarFile(f)
			if err != nil {
				return nil, err
			}
			bars = append(bars, more...)
		}
	}
	return bars, nil
}

const asAbove = "as above"

func readBarFile(path string) (bars []Bar, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		text, note, _ := strings.Cut(sc.Text(), "#")
		if strings.TrimSpace(text) == "" {
			continue
		}
		b, err := parseBar(text)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		b.File, b.Line, b.Note = path, n, strings.TrimSpace(note)
		if rest, ok := strings.CutPrefix(b.Note, asAbove); ok && len(bars) > 0 {
			b.Note = bars[len(bars)-1].Note + rest
		}
		bars = append(bars, b)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return bars, nil
}

func parseBar(text string) (b Bar, err error) {
	f := strings.Fields(text)
	if len(f) == 5 && f[3] == "<=" {
		f = append(f[:3], "<="+f[4])
	}
	if len(f) != 4 {
		return b, fmt.Errorf("want CASE BASELINE METRIC BAR, have %d fields in %q", len(f), strings.TrimSpace(text))
	}
	b = Bar{Case: f[0], Baseline: f[1], Metric: f[2]}
	if b.re, err = regexp.Compile("^(?:" + b.Case + ")$"); err != nil {
		return b, fmt.Errorf("case %q: %w", b.Case, err)
	}
	num, atMost := strings.CutPrefix(strings.TrimPrefix(f[3], ">="), "<=")
	b.AtMost = atMost
	b.Limit, err = strconv.ParseFloat(num, 64)
	switch {
	case err != nil || !(b.Limit >= 0) || b.Limit > 1e18:
		return b, fmt.Errorf("bar %q is not a number", f[3])
	case b.Absolute() && !atMost:
		return b, fmt.Errorf("bar %q: a figure without a baseline needs <=", f[3])
	case !b.Absolute() && b.Limit == 0:
		return b, fmt.Errorf("bar %q: a ratio is above 0", f[3])
	}
	return b, nil
}
