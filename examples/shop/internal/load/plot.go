package load

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"time"
)

const plotWidth, plotHeight, plotLeft, plotTop = 420.0, 230.0, 56.0, 30.0

var colours = []string{"#0a6cbd", "#c4501b", "#6b8e23"}

// plot writes a page with two pictures for each mix: P99 and CPU per request, by rate.
func plot(w io.Writer, cells []Cell) {
	fmt.Fprint(w, "<!doctype html><meta charset=utf-8><title>shop under load</title>\n<body style='font:14px sans-serif'>\n")
	var names []string
	for _, c := range cells {
		if !slices.Contains(names, c.Mix) {
			names = append(names, c.Mix)
		}
	}
	for _, name := range names {
		of := slices.DeleteFunc(slices.Clone(cells), func(c Cell) bool { return c.Mix != name })
		fmt.Fprintf(w, "<h3>%s</h3>\n", html.EscapeString(mixes[name].what))
		picture(w, "P99 by requests/s (bar: 50 ms)", of, func(c Cell) time.Duration { return c.P99 }, limit)
		picture(w, "server's CPU per request by requests/s", of, func(c Cell) time.Duration { return c.CPU }, 0)
	}
}

// picture draws a line per twin on logarithmic axes, and a bar if it is not 0.
func picture(w io.Writer, title string, cells []Cell, y func(Cell) time.Duration, bar time.Duration) {
	lowX, highX := math.Inf(1), math.Inf(-1)
	lowY, highY := math.Inf(1), math.Inf(-1)
	see := func(d time.Duration) {
		v := math.Log10(max(float64(d), 1))
		lowY, highY = min(lowY, v), max(highY, v)
	}
	for _, c := range cells {
		v := math.Log10(float64(c.Rate))
		lowX, highX = min(lowX, v), max(highX, v)
		see(y(c))
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
	fmt.Fprintf(w, "<svg width='%v' height='%v' font-family='sans-serif' font-size='11'>\n", plotLeft+plotWidth+90, plotTop+plotHeight+30)
	fmt.Fprintf(w, "<text x='%v' y='16' font-size='13'>%s</text>\n", plotLeft, title)
	fmt.Fprintf(w, "<rect x='%v' y='%v' width='%v' height='%v' fill='none' stroke='#bbb'/>\n", plotLeft, plotTop, plotWidth, plotHeight)
	for v := math.Ceil(lowY); v <= highY; v++ {
		d := time.Duration(math.Pow(10, v))
		fmt.Fprintf(w, "<path d='M%v %.1fh%v' stroke='#eee'/><text x='4' y='%.1f'>%s</text>\n", plotLeft, atY(d), plotWidth, atY(d)+4, short(d))
	}
	if bar > 0 {
		fmt.Fprintf(w, "<path d='M%v %.1fh%v' stroke='#999' stroke-dasharray='4'/>\n", plotLeft, atY(bar), plotWidth)
	}
	for i, t := range twins {
		var path string
		for _, c := range cells {
			if c.Twin != t.Name {
				continue
			}
			path += fmt.Sprintf("%.1f %.1f ", atX(c.Rate), atY(y(c)))
			fmt.Fprintf(w, "<circle cx='%.1f' cy='%.1f' r='3' fill='%s'><title>%s %d/s %s</title></circle>\n",
				atX(c.Rate), atY(y(c)), colours[i], t.Name, c.Rate, short(y(c)))
			if i == 0 {
				fmt.Fprintf(w, "<text x='%.1f' y='%v' text-anchor='middle'>%d</text>\n", atX(c.Rate), plotTop+plotHeight+14, c.Rate)
			}
		}
		fmt.Fprintf(w, "<polyline points='%s' fill='none' stroke='%s' stroke-width='2'/>\n", path, colours[i])
		fmt.Fprintf(w, "<text x='%v' y='%v' fill='%s'>%s</text>\n", plotLeft+plotWidth+6, plotTop+14+16*float64(i), colours[i], t.Name)
	}
	fmt.Fprint(w, "</svg>\n")
}
