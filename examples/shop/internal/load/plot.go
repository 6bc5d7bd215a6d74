package load

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"time"
)

const plotWidth, plotHeight, plotLeft, plotTop = 400.0, 230.0, 56.0, 46.0

// pageHead begins the page. The classes a to d are those of the twins, in order.
const pageHead = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>shop under load</title>
<style>
:root { color-scheme: light dark; --text: #1f2328; --soft: #57606a; --line: #d0d7de; --page: #fff; --a: #0a6cbd; --b: #b3440f; --c: #557018; --d: #7a4fb5 }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9198a1; --line: #3d444d; --page: #0d1117; --a: #58a6ff; --b: #f0883e; --c: #a5c261; --d: #b392f0 } }
body { font: 16px/1.45 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 0 auto; padding: 1rem; max-width: 72rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1rem }
svg { display: block; width: 100%; height: auto; max-width: 40rem }
text { fill: var(--text); font-size: 13px } .title { font-weight: 600 }
path, rect { stroke: var(--line); fill: none } .bar { stroke: var(--soft); stroke-dasharray: 4 }
polyline { fill: none; stroke-width: 2 }
.a { stroke: var(--a) } .b { stroke: var(--b) } .c { stroke: var(--c) } .d { stroke: var(--d) }
circle { fill: var(--page); stroke-width: 2 } text.a, text.b, text.c, text.d { stroke: none } text.a { fill: var(--a) } text.b { fill: var(--b) } text.c { fill: var(--c) } text.d { fill: var(--d) }
</style>
<h1>The shop under load</h1>
`

var classes = []string{"a", "b", "c", "d"}

// plot writes a page with two pictures for each mix: P99 and CPU per request, by rate.
func plot(w io.Writer, cells []Cell) {
	fmt.Fprint(w, pageHead)
	var names []string
	for _, c := range cells {
		if !slices.Contains(names, c.Mix) {
			names = append(names, c.Mix)
		}
	}
	for _, name := range names {
		of := slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return c.Mix != name })
		fmt.Fprintf(w, "<h2>%s</h2>\n<div class='plots'>\n", html.EscapeString(mixes[name].what))
		picture(w, "P99 by requests/s (bar: 50 ms)", of, p99, limit)
		picture(w, "server's CPU per request by requests/s", of, cpu, 0)
		fmt.Fprint(w, "</div>\n")
	}
}

// picture draws a line per twin through the medians, with the spread of the rounds, on
// logarithmic axes, and a bar if it is not 0.
func picture(w io.Writer, title string, cells []Cell, figure func(Round) time.Duration, bar time.Duration) {
	y := func(c Cell) spread[time.Duration] { return over(c.Rounds, figure) }
	lowX, highX := math.Inf(1), math.Inf(-1)
	lowY, highY := math.Inf(1), math.Inf(-1)
	see := func(d time.Duration) {
		v := math.Log10(max(float64(d), 1))
		lowY, highY = min(lowY, v), max(highY, v)
	}
	for _, c := range cells {
		v := math.Log10(float64(c.Rate))
		lowX, highX = min(lowX, v), max(highX, v)
		see(y(c).low)
		see(y(c).high)
	}
	if bar > 0 {
		see(bar)
	}
	atX := func(rate int) float64 {
		return plotLeft + (math.Log10(float64(rate))-lowX)/max(highX-lowX, 1e-9)*plotWidth
	}
	atY := func(d time.Duration) float64 {
		return plotTop + (highY-math.Log10(max(float64(d), 1)))/max(highY-lowY, 1e-9)*plotHeight
	}
	fmt.Fprintf(w, "<svg viewBox='0 0 %v %v' role='img' aria-label='%s'>\n", plotLeft+plotWidth+20, plotTop+plotHeight+24, html.EscapeString(title))
	fmt.Fprintf(w, "<text class='title' x='%v' y='16'>%s</text>\n", plotLeft, html.EscapeString(title))
	fmt.Fprintf(w, "<rect x='%v' y='%v' width='%v' height='%v'/>\n", plotLeft, plotTop, plotWidth, plotHeight)
	for v := math.Ceil(lowY); v <= highY; v++ {
		d := decade(v)
		fmt.Fprintf(w, "<path d='M%v %.1fh%v'/>", plotLeft, atY(d), plotWidth)
	}
	for _, d := range []time.Duration{decade(lowY), decade(highY)} { // the ends of the scale
		fmt.Fprintf(w, "<text x='%v' y='%.1f' text-anchor='end'>%s</text>\n", plotLeft-6, atY(d)+4, short(d))
	}
	for v := math.Ceil(lowY + 0.1); v <= highY-0.1; v++ {
		d := decade(v)
		fmt.Fprintf(w, "<text x='%v' y='%.1f' text-anchor='end'>%s</text>\n", plotLeft-6, atY(d)+4, short(d))
	}
	if bar > 0 {
		fmt.Fprintf(w, "<path class='bar' d='M%v %.1fh%v'/>\n", plotLeft, atY(bar), plotWidth)
	}
	for i, t := range twins {
		var path string
		for _, c := range cells {
			if c.Twin != t.Name {
				continue
			}
			path += fmt.Sprintf("%.1f %.1f ", atX(c.Rate), atY(y(c).median))
			if i == 0 {
				fmt.Fprintf(w, "<text x='%.1f' y='%v' text-anchor='middle'>%d</text>\n", atX(c.Rate), plotTop+plotHeight+17, c.Rate)
			}
		}
		fmt.Fprintf(w, "<polyline class='%s' points='%s'/>\n", classes[i], path)
		for _, c := range cells {
			if c.Twin == t.Name {
				s := y(c)
				fmt.Fprintf(w, "<path class='%s' d='M%.1f %.1fV%.1f'/>", classes[i], atX(c.Rate), atY(s.low), atY(s.high))
				fmt.Fprintf(w, "<circle class='%s' cx='%.1f' cy='%.1f' r='3.5'><title>%s %d/s %s (%s-%s)</title></circle>\n",
					classes[i], atX(c.Rate), atY(s.median), t.Name, c.Rate, short(s.median), short(s.low), short(s.high))
			}
		}
		fmt.Fprintf(w, "<text class='%s' x='%v' y='36'>%s</text>\n", classes[i], plotLeft+110*float64(i), t.Name)
	}
	fmt.Fprint(w, "</svg>\n")
}

// decade is the duration whose logarithm this is.
func decade(v float64) time.Duration { return time.Duration(math.Round(math.Pow(10, v))) }
