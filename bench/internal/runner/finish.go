package runner

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/report"
	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// inputs are the files that the reports need. They are read before anything is
// measured, so that a malformed one costs no minutes.
type inputs struct {
	bars []result.Bar
	old  *result.Run
}

func readInputs(o *options) (in inputs, err error) {
	if in.bars, err = result.ReadBars(o.failBelow...); err != nil {
		return in, fmt.Errorf("-fail-below: %w", err)
	}
	if o.compare != "" {
		if in.old, err = result.Load(o.compare); err != nil {
			return in, fmt.Errorf("-compare: %w", err)
		}
	}
	for _, f := range o.update {
		if err := report.CheckUpdate(f); err != nil {
			return in, fmt.Errorf("-update: %w", err)
		}
	}
	if o.bars != "" {
		if err = report.CheckBarsFile(o.bars); err != nil {
			return in, fmt.Errorf("-bars: %w", err)
		}
	}
	return in, nil
}

// report prints and writes what was found and returns the exit status.
func (c command) report(r *result.Run, o *options, in inputs) int {
	if err := report.Print(c.stdout, r, o.format); err != nil {
		return c.fail(err)
	}
	if err := c.write(r, o); err != nil {
		return c.fail(err)
	}
	if in.old != nil {
		if err := report.Compare(c.stderr, in.old, r); err != nil {
			return c.fail(err)
		}
	}
	short, err := c.checkBars(r, o, in.bars)
	if err != nil {
		return c.fail(err)
	}
	failed := 0
	for i := range r.Rows {
		if f := &r.Rows[i]; f.Failed != "" && (f.Baseline == "" || !slices.ContainsFunc(r.Rows[:i], func(p result.Row) bool {
			return p.Key() == f.Key() && p.CPUs == f.CPUs && p.Impl == f.Impl
		})) {
			failed++
		}
	}
	if failed > 0 {
		fmt.Fprintf(c.stderr, "failed: %d (an implementation that did not do its work)\n", failed)
	}
	switch {
	case r.Info.Interrupted && o.from == "":
		return statusInterrupted
	case short || failed > 0:
		return statusShort
	}
	return statusOK
}

// write keeps the run and its page.
func (c command) write(r *result.Run, o *options) error {
	for _, f := range o.update {
		if r.Info.Interrupted {
			fmt.Fprintf(c.stderr, "%s is left as it was: the run was %s\n", f, r.Info.Ended)
			continue
		}
		if err := report.Update(f, r); err != nil {
			return fmt.Errorf("-update: %w", err)
		}
	}
	if o.from != "" && !o.outGiven {
		return nil
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	if err := r.Save(o.out); err != nil {
		return err
	}
	page := filepath.Join(o.out, "report.html")
	if err := create(page, func(w io.Writer) error { return report.HTML(w, r) }); err != nil {
		return err
	}
	raw := ""
	if o.from == "" {
		raw = "raw.txt, "
	}
	fmt.Fprintf(c.stderr, "written to %s: report.html, %sresults.json, run.json\n", o.out, raw)
	return nil
}

// checkBars holds the run against the bars: a line for each that falls short.
func (c command) checkBars(r *result.Run, o *options, bars []result.Bar) (short bool, err error) {
	if len(bars) == 0 {
		return false, nil
	}
	checks := result.CheckBars(bars, r, c.known(o), o.slack)
	for _, k := range checks {
		if k.Short {
			short = true
			fmt.Fprintln(c.stderr, "SHORT", k)
		}
	}
	fmt.Fprintln(c.stderr, barsLine(result.Count(checks, true), o.slack))
	if o.bars != "" {
		if err = report.Bars(o.bars, r, checks); err != nil {
			err = fmt.Errorf("-bars: %w", err)
		}
	}
	return short, err
}

// barsLine tells how many bars were reached. Those that are no comparison with
// another implementation are counted apart.
func barsLine(t result.Tally, slack float64) string {
	s := fmt.Sprintf("bars: %d reached, %d short, %d not measured", t.Met[result.Comparison], t.Missed[result.Comparison], t.Out)
	if slack < 1 {
		s += fmt.Sprintf(" (slack %v)", slack)
	}
	var more []string
	for _, k := range []struct {
		kind result.Kind
		what string
	}{{result.AtFloor, "against the floor"}, {result.OwnFigure, "figures"}, {result.NoAlloc, "without allocations"}} {
		if met, missed := t.Met[k.kind], t.Missed[k.kind]; met+missed > 0 {
			more = append(more, fmt.Sprintf("%d of %d %s", met, met+missed, k.what))
		}
	}
	if more != nil {
		s += "\n  " + strings.Join(more, ", ")
	}
	return s
}

// known returns all cases of the program and which of them this run chose.
func (c command) known(o *options) (known []result.Known) {
	for _, k := range c.cases {
		chosen := o.from == "" && o.run.MatchString(k.Key()) && (!o.quick || k.Quick)
		at := func(us []unit, chosen bool) {
			for _, u := range us {
				known = append(known, result.Known{Key: k.Key(), CPUs: u.cpus, Chosen: chosen})
			}
		}
		at(unitsOf(k, o.cpus), chosen)
		if o.cpus != nil {
			at(unitsOf(k, nil), false)
		}
	}
	return known
}

func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
