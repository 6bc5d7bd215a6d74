package report

import (
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// pictureWidth is near the width of a page's text, so that labels have about the
// size of what stands around them.
const pictureWidth = 720

// picture writes the chart of all groups as two files of their own, for light pages
// and for dark ones, and returns the Markdown that shows the right one. It is ""
// where the run has no ratios.
func picture(dir, name string, r *result.Run) (string, error) {
	all := summaries(groups(r))
	s := summaryChart(all, pictureWidth)
	if s == nil {
		return "", nil
	}
	for theme, colours := range map[string]string{"light": lightColours, "dark": darkColours} {
		text, err := standalone(s, verdictLegend(total(all)), colours)
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(name)+"-"+theme+".svg"), text, 0o644); err != nil {
			return "", err
		}
	}
	alt := s.Alt + ": " + total(all).String() + " of " + Count(total(all).sum(), "case")
	return fmt.Sprintf("<picture>\n<source media=\"(prefers-color-scheme: dark)\" srcset=\"%s-dark.svg\">\n"+
		"<img src=\"%s-light.svg\" width=\"%d\" alt=\"%s\">\n</picture>\n", name, name, pictureWidth, template.HTMLEscapeString(alt)), nil
}

// margin is the room around a chart in a file of its own; the title and the legend
// have a line each.
const (
	margin  = 16
	lineOut = 24
)

// standalone is a drawing with its title, its legend and its colours, which needs
// no page around it.
func standalone(s *svg, legend []legendItem, colours string) ([]byte, error) {
	keys := &svg{}
	x := 0.0
	for _, l := range legend {
		keys.dot(x+4, -4, 4, l.Class, "")
		keys.text(x+14, 0, "tick", l.Name)
		x += textWidth(l.Name) + 34
	}
	var b strings.Builder
	err := page.ExecuteTemplate(&b, "picture", map[string]any{
		"Style": template.CSS("svg{" + colours + "}\n" + chartStyle), "Chart": s, "Keys": keys,
		"Width": s.Width + 2*margin, "Height": s.Height + 2*margin + 2*lineOut,
		"Margin": margin, "Top": margin + lineOut, "KeysTop": s.Height + margin + 2*lineOut - 4,
	})
	return []byte(b.String()), err
}
