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
//	locks/uncontended/op=read   floor:atomic  ns/op      <=2.3   # @two-locked
//	@two-locked To lock and to unlock is a locked instruction each.
//
// CASE is a case's name or a regular expression that matches one whole, with or
// without -N for one GOMAXPROCS; the bar holds for each case that it matches.
// METRIC is one where less is better. BAR is the least ratio (the baseline's
// figure over ours), or with <= the most that ours may be of the baseline's;
// where BASELINE is "-", the most that our figure itself may be. A BASELINE of the
// form floor:NAME is an implementation of the group [FloorGroup]: what a primitive
// costs on the machine, by its ns/op in the same rounds; METRIC is then a time.
//
// A line "@NAME TEXT" gives the reason for bars of one kind; several lines of one
// NAME make one text. A note that begins with @NAME refers to it, anywhere in the
// file.
type Bar struct {
	File     string
	Line     int
	Case     string
	Baseline string // "-": the bar is a figure, not a ratio
	Metric   string
	Limit    float64
	AtMost   bool   // written with <=
	Note     string // what was tried where it is missed; "as above" repeats the bar before
	Reason   *Reason
	re       *regexp.Regexp
}

// Reason is why all bars of one kind are as they are.
type Reason struct{ Name, Text string }

// Kind is what a bar holds a case against.
type Kind int

// The kinds of bars. They are counted apart, so that a bar met among the first is a
// comparison won.
const (
	Comparison Kind = iota // another implementation of the case
	AtFloor                // what a primitive costs on the machine
	OwnFigure              // a number
	NoAlloc                // nothing: the bar only says that an op allocates nothing
	numKinds
)

// Kind returns what the bar holds its cases against.
func (b *Bar) Kind() Kind {
	switch {
	case b.Absolute() && b.Metric == AllocsPerOp && b.Limit == 0:
		return NoAlloc
	case b.Absolute():
		return OwnFigure
	case b.Floor() != "":
		return AtFloor
	}
	return Comparison
}

// Floor returns the primitive that the bar is stated against, or "".
func (b *Bar) Floor() string {
	name, ok := strings.CutPrefix(b.Baseline, FloorGroup+":")
	if !ok {
		return ""
	}
	return name
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
	reasons := make(map[string]*Reason)
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		if line := strings.TrimSpace(sc.Text()); strings.HasPrefix(line, "@") {
			if err := addReason(reasons, line); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, n, err)
			}
			continue
		}
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
	return bars, resolve(path, bars, reasons)
}

var reasonName = regexp.MustCompile(`^@[a-z0-9][a-z0-9-]*`)

// addReason reads a line "@NAME TEXT".
func addReason(reasons map[string]*Reason, line string) error {
	name := reasonName.FindString(line)
	text := strings.TrimSpace(line[len(name):])
	if name == "" || text == "" || len(line) > len(name) && line[len(name)] != ' ' && line[len(name)] != '\t' {
		return fmt.Errorf("want @NAME TEXT with a NAME of a-z, 0-9 and -, have %q", line)
	}
	r := reasons[name]
	if r == nil {
		reasons[name] = &Reason{Name: name[1:], Text: text}
		return nil
	}
	r.Text += " " + text
	return nil
}

// resolve puts into the bars the reasons that their notes begin with.
func resolve(path string, bars []Bar, reasons map[string]*Reason) error {
	used := make(map[string]bool)
	for i := range bars {
		b := &bars[i]
		name := reasonName.FindString(b.Note)
		if name == "" {
			continue
		}
		if b.Reason = reasons[name]; b.Reason == nil {
			return fmt.Errorf("%s: the file has no reason %s", b.At(), name)
		}
		used[name] = true
		b.Note = strings.TrimLeft(b.Note[len(name):], " ;,:")
	}
	for name := range reasons {
		if !used[name] {
			return fmt.Errorf("%s: no bar refers to the reason %s", path, name)
		}
	}
	return nil
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
	case b.Floor() != "" && b.Metric != NsPerOp && !strings.HasSuffix(b.Metric, "-ns"):
		return b, fmt.Errorf("metric %q: what a primitive costs is a time", b.Metric)
	}
	return b, nil
}
