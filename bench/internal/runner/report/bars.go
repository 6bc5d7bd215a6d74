package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// Bars renews the Markdown table at path of what every bar asks for and what was
// reached. The table has a section per bar file: those that the checks belong to
// are written anew, with the run they come from, and all others are kept, so that
// runs of several commands make one table. A run that measured nothing of a
// section leaves it as it stands.
func Bars(path string, r *result.Run, checks []result.Check) error {
	sections, err := readSections(path)
	if err != nil {
		return err
	}
	for len(checks) > 0 {
		n := 1
		for n < len(checks) && checks[n].Bar.File == checks[0].Bar.File {
			n++
		}
		s, err := newSection(path, r, checks[:n])
		if err != nil {
			return err
		}
		checks = checks[n:]
		i := slices.IndexFunc(sections, func(o barSection) bool { return o.file == s.file })
		switch {
		case i < 0:
			sections = append(sections, s)
		case s.met+s.missed > 0:
			sections[i] = s
		}
	}
	slices.SortFunc(sections, func(a, b barSection) int {
		return cmp.Or(strings.Count(a.title(), " ")-strings.Count(b.title(), " "), strings.Compare(a.title(), b.title()))
	})
	return os.WriteFile(path, barsText(sections), 0o644)
}

// barSection is what is known of one bar file.
type barSection struct {
	file             string // the bar file's path seen from the table's directory
	met, missed, out int
	body             string // its Markdown, without the lines around it
}

var sectionMark = regexp.MustCompile(`(?m)^<!-- bars (\S+): (\d+) met, (\d+) missed, (\d+) not measured -->\n`)

const sectionEnd = "<!-- /bars -->\n"

// CheckBarsFile says whether path can be renewed by [Bars]: it must be a table of
// bars that can be written, or not exist where one can be made.
func CheckBarsFile(path string) error {
	if _, err := readSections(path); err != nil {
		return err
	}
	_, before := os.Stat(path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	err = f.Close()
	if errors.Is(before, fs.ErrNotExist) {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func readSections(path string) (sections []barSection, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) > 0 && !bytes.HasPrefix(text, []byte(barsTitle)) {
		return nil, fmt.Errorf("%s is no table of bars (its first line is not %q), and would be lost", path, strings.TrimSpace(barsTitle))
	}
	for _, m := range sectionMark.FindAllSubmatchIndex(text, -1) {
		body, _, ok := bytes.Cut(text[m[1]:], []byte(sectionEnd))
		if !ok {
			return nil, fmt.Errorf("%s: the section of %s has no %s", path, text[m[2]:m[3]], strings.TrimSpace(sectionEnd))
		}
		number := func(i int) int { n, _ := strconv.Atoi(string(text[m[i]:m[i+1]])); return n }
		sections = append(sections, barSection{string(text[m[2]:m[3]]), number(4), number(6), number(8), string(body)})
	}
	return sections, nil
}

// title names the package, after the words of the path that set its file apart:
// "batchchan" of bars/batchchan.txt, "peers batchchan" of peers/bars/batchchan.txt.
func (s barSection) title() string {
	words := slices.DeleteFunc(strings.Split(path.Dir(s.file), "/"), func(w string) bool {
		return w == "" || w == "." || w == ".." || w == "bars"
	})
	return strings.Join(append(words, strings.TrimSuffix(path.Base(s.file), path.Ext(s.file))), " ")
}

const barsTitle = "# Bars\n"

func barsText(sections []barSection) []byte {
	b := new(bytes.Buffer)
	b.WriteString(barsTitle + "\nWhat the design asks for, and what was reached. Made from runs, not by hand: " +
		"each section names the command that renews it.\n\n" +
		"| | met | missed | not measured |\n|---|---:|---:|---:|\n")
	var all barSection
	for _, s := range sections {
		fmt.Fprintf(b, "| [%s](#%s) | %d | %d | %d |\n", s.title(), strings.ReplaceAll(s.title(), " ", "-"), s.met, s.missed, s.out)
		all.met, all.missed, all.out = all.met+s.met, all.missed+s.missed, all.out+s.out
	}
	fmt.Fprintf(b, "| **all** | **%d** | **%d** | **%d** |\n", all.met, all.missed, all.out)
	for _, s := range sections {
		fmt.Fprintf(b, "\n## %s\n\n<!-- bars %s: %d met, %d missed, %d not measured -->\n%s%s", s.title(), s.file, s.met, s.missed, s.out, s.body, sectionEnd)
	}
	return b.Bytes()
}

// newSection makes the section of the checks of one bar file.
func newSection(table string, r *result.Run, checks []result.Check) (s barSection, err error) {
	if s.file, err = seenFrom(filepath.Dir(table), checks[0].Bar.File); err != nil {
		return s, err
	}
	b := new(strings.Builder)
	fmt.Fprintf(b, "From [%s](%s), by `%s`", s.file, s.file, r.Info.Command)
	if l := circumstances(r.Info); len(l) > 0 {
		fmt.Fprintf(b, " on %s", strings.Join(l, "; "))
	}
	b.WriteString(".\n\n| case | against | metric | bar | reached | 95 % interval | | what was tried, and the limit |\n|---|---|---|---|---:|---|---|---|\n")
	last := ""
	for _, c := range checks {
		note := ""
		switch {
		case c.Skipped:
			s.out++
		case c.Met:
			s.met++
		default:
			s.missed++
			if note = escape(c.Bar.Note); note == "" {
				note = "not yet told"
			} else if note == last {
				note = "as above"
			} else {
				last = note
			}
		}
		barLine(b, c, note)
	}
	s.body = b.String()
	return s, nil
}

// seenFrom returns the path of file relative to dir, with slashes.
func seenFrom(dir, file string) (string, error) {
	for _, p := range []*string{&dir, &file} {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return "", err
		}
		*p = abs
	}
	rel, err := filepath.Rel(dir, file)
	return filepath.ToSlash(rel), err
}

// barLine writes one check; the note belongs to a bar that was missed.
func barLine(b *strings.Builder, c result.Check, note string) {
	name := c.Bar.Case
	if c.Key != "" {
		name = c.Key + "-" + strconv.Itoa(c.CPUs)
	}
	verdict, reached, iv := "**missed**", c.Why, ""
	if c.Met {
		verdict = "met"
	}
	if c.Skipped {
		verdict = "not measured"
	}
	if !math.IsNaN(c.Got) {
		reached = digits(c.Got)
		if c.Bar.Absolute() {
			reached = figure(c.Got, c.Bar.Metric)
		} else {
			reached += " ×"
		}
	}
	if !math.IsNaN(c.Lo) && !math.IsNaN(c.Hi) {
		iv = digits(c.Lo) + "–" + digits(c.Hi)
	}
	against := c.Bar.Baseline
	if c.Bar.Absolute() {
		against = "the figure itself"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", escape(name), escape(against), c.Bar.Metric,
		strings.NewReplacer("<=", "≤ ", ">=", "≥ ").Replace(c.Bar.Want()), escape(reached), iv, verdict, note)
}
