package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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
// section leaves it as it stands, and so does one that was interrupted before it
// had measured all of it.
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
		case r.Info.Interrupted && s.tally.Out > 0: // the older section tells more
		case s.measured() > 0:
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
	file  string // the bar file's path seen from the table's directory
	tally result.Tally
	body  string // its Markdown, without the lines around it
}

// apart are the kinds of bars that are counted apart from comparisons, with their
// word in a section's mark and the head of their column.
var apart = []struct {
	kind       result.Kind
	word, head string
}{
	{result.AtFloor, "floor", "against the floor"},
	{result.OwnFigure, "figures", "figures"},
	{result.NoAlloc, "allocations", "no allocation"},
}

// sectionMark also reads the marks of tables that did not count kinds apart.
var sectionMark = regexp.MustCompile(`(?m)^<!-- bars (\S+): (\d+) met, (\d+) missed, ` +
	`(?:(\d+)/(\d+) floor, (\d+)/(\d+) figures, (\d+)/(\d+) allocations, )?(\d+) not measured -->\n`)

func (s barSection) mark() string {
	t := s.tally
	b := new(strings.Builder)
	fmt.Fprintf(b, "<!-- bars %s: %d met, %d missed, ", s.file, t.Met[result.Comparison], t.Missed[result.Comparison])
	for _, a := range apart {
		fmt.Fprintf(b, "%d/%d %s, ", t.Met[a.kind], t.Met[a.kind]+t.Missed[a.kind], a.word)
	}
	fmt.Fprintf(b, "%d not measured -->\n", t.Out)
	return b.String()
}

func (s barSection) measured() (n int) {
	for k := range s.tally.Met {
		n += s.tally.Met[k] + s.tally.Missed[k]
	}
	return n
}

// counts are the cells of the section's row in the table of all.
func (s barSection) counts() []string {
	t := s.tally
	cells := []string{strconv.Itoa(t.Met[result.Comparison]), strconv.Itoa(t.Missed[result.Comparison])}
	for _, a := range apart {
		cell := ""
		if n := t.Met[a.kind] + t.Missed[a.kind]; n > 0 {
			cell = fmt.Sprintf("%d of %d", t.Met[a.kind], n)
		}
		cells = append(cells, cell)
	}
	return append(cells, strconv.Itoa(t.Out))
}

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
		number := func(group int) int {
			if m[2*group] < 0 {
				return 0
			}
			n, _ := strconv.Atoi(string(text[m[2*group]:m[2*group+1]]))
			return n
		}
		s := barSection{file: string(text[m[2]:m[3]]), body: string(body)}
		s.tally.Met[result.Comparison], s.tally.Missed[result.Comparison], s.tally.Out = number(2), number(3), number(10)
		for i, a := range apart {
			s.tally.Met[a.kind], s.tally.Missed[a.kind] = number(4+2*i), number(5+2*i)-number(4+2*i)
		}
		sections = append(sections, s)
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
		"each section names the command that renews it. Met and missed count comparisons with another " +
		"implementation of the same case. Counted apart: bars that no implementation could reach by much, stated against what a " +
		"primitive costs on the machine (the group floor), bars for a figure itself, and lines that only say that an op allocates nothing.\n\n" +
		"| | met | missed |")
	for _, a := range apart {
		b.WriteString(" " + a.head + " |")
	}
	b.WriteString(" not measured |\n|---|---:|---:|" + strings.Repeat("---:|", len(apart)+1) + "\n")
	var all barSection
	for _, s := range sections {
		fmt.Fprintf(b, "| [%s](#%s) | %s |\n", s.title(), strings.ReplaceAll(s.title(), " ", "-"), strings.Join(s.counts(), " | "))
		all.tally.Add(s.tally)
	}
	b.WriteString("| **all** |")
	for _, n := range all.counts() {
		if n != "" {
			n = "**" + n + "**"
		}
		b.WriteString(" " + n + " |")
	}
	b.WriteByte('\n')
	for _, s := range sections {
		fmt.Fprintf(b, "\n## %s\n\n%s%s%s", s.title(), s.mark(), s.body, sectionEnd)
	}
	return b.Bytes()
}
