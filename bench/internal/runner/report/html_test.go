package report

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

func pageOf(t testing.TB, r *result.Run) string {
	var b strings.Builder
	require.NoError(t, HTML(&b, r))
	return b.String()
}

func TestPageShowsEverything(t *testing.T) {
	r := sampleRun()
	p := pageOf(t, r)
	for i := range r.Rows {
		assert.Contains(t, p, ">"+r.Rows[i].Case, "case")
		assert.Contains(t, p, "<td>"+r.Rows[i].Impl, "implementation")
	}
	for _, want := range []string{
		`<section id="workerpool">`, ">locks</label>", ">floor</label></h2>",
		"The best alternative&#39;s time ÷ poundlock&#39;s", "4 ahead · mean 1.50×", "Each alternative over all cases",
		"<summary>Latency, ", ">p99.9</text>", "<summary>Scaling ", "By GOMAXPROCS: time",
		"empty/workers=8 · GOMAXPROCS 8",
		"lost: x FAILED: 1 of 3 &lt;ran&gt;; and a second line", "y skipped: needs another system", "poundlock !",
		"config of ants", "One op is one &lt;op&gt;.", "go run -C bench . -run &#39;a|b&#39;", "A CPU", "a-name-that-is-f…",
	} {
		assert.Contains(t, p, want)
	}
}

// A dot tells its case, a card what one op is and what is divided by what, and a
// GOMAXPROCS is written out.
func TestCardsAndDotsExplainThemselves(t *testing.T) {
	r := sampleRun()
	lo, hi := 0.4, 0.6
	own := result.Row{Group: "locks", Case: "rw/writes=10%", Impl: "poundlock", Baseline: "poundlock-off", Lead: true, CPUs: 2, Rounds: 12, Doc: "One op is one <op>."}
	own.Ratios = map[string]*result.Ratio{"ns/op": {Value: 0.5, Lo: &lo, Hi: &hi}}
	r.Rows = append(r.Rows, own)
	p := pageOf(t, r)

	dots := regexp.MustCompile(`<circle [^>]*>(?:<title>([^<]*)</title>)?`).FindAllStringSubmatch(p, -1)
	require.NotEmpty(t, dots)
	for _, d := range dots {
		assert.Regexp(t, `^(workerpool|locks|floor)/`, d[1], d[0])
	}
	assert.Contains(t, p, "<title>workerpool/empty/workers=8 · GOMAXPROCS 8: ants 18.0× (16.2–21.6)</title>")
	assert.NotContains(t, p, "workers=8-8")

	cards := regexp.MustCompile(`(?s)<figure class="card"><h4>(.*?)</h4><figcaption>(.*?)</figcaption>.*?</figure>`).FindAllStringSubmatch(p, -1)
	require.NotEmpty(t, cards)
	for _, c := range cards {
		if c[1] != "lost" && c[1] != "zero" && !strings.HasPrefix(c[1], "Each alternative") {
			assert.Contains(t, c[2], "One op is one &lt;op&gt;.", c[1])
		}
	}
	assert.Contains(t, p, "Each alternative&#39;s time ÷ poundlock&#39;s")

	// A variant of one's own that is faster is shown, in its own shade, not as a loss.
	assert.Regexp(t, `<circle [^>]*class="fill o1"><title>locks/rw/writes=10%: poundlock-off 0.500× \(0.400–0.600\)</title>`, p)
	assert.NotRegexp(t, `behind">(behind )?0.500×`, p)
	assert.Contains(t, p, `end value soft">0.500×`)
	assert.Contains(t, p, `end value behind">behind 0.667×`, "but that of another is one")
}

// The page is whole by itself: nothing is fetched, nothing runs.
func TestPageIsSelfContained(t *testing.T) {
	p := pageOf(t, sampleRun())
	assert.NotRegexp(t, `(?i)https?:|<script|<link|@import|url\(|src=|href="[^#]`, p)
	assert.Contains(t, p, "prefers-color-scheme:dark")
	assert.Contains(t, p, "width=device-width")
	assert.NotContains(t, p, "ZgotmplZ", "the template refused a value")
}

var (
	svgRE    = regexp.MustCompile(`(?s)<svg .*?</svg>`)
	numberRE = regexp.MustCompile(` (x|y|x1|x2|y1|y2|cx|cy|r|width|height)="([^"]*)"`)
	boxRE    = regexp.MustCompile(`viewBox="0 0 (\S+) (\S+)"`)
)

// checkDrawings verifies that every drawing is well-formed, that its numbers are
// numbers, and that all shapes lie inside it.
func checkDrawings(t testing.TB, p string) (n int) {
	for _, s := range svgRE.FindAllString(p, -1) {
		n++
		d := xml.NewDecoder(strings.NewReader(s))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, s)
			}
		}
		box := boxRE.FindStringSubmatch(s)
		require.NotNil(t, box)
		w, _ := strconv.ParseFloat(box[1], 64)
		h, _ := strconv.ParseFloat(box[2], 64)
		if !(w > 0 && h > 0 && w < 1e4 && h < 1e5) {
			t.Fatalf("box %v", box)
		}
		for _, m := range numberRE.FindAllStringSubmatch(s, -1) {
			v, err := strconv.ParseFloat(m[2], 64)
			if err != nil || math.IsNaN(v) || v < -1 || v > max(w, h)+1 {
				t.Fatalf("%s in %s", m[0], s)
			}
		}
	}
	return n
}

func TestDrawingsAreValid(t *testing.T) {
	n := checkDrawings(t, pageOf(t, sampleRun()))
	assert.Greater(t, n, 8)
}

func TestPageOfNothing(t *testing.T) {
	p := pageOf(t, new(result.Run))
	assert.Zero(t, checkDrawings(t, p))
	assert.NotContains(t, p, "best alternative")
	p = pageOf(t, &result.Run{Info: result.Info{Race: true, Ended: "interrupted after 3 of 12 rounds"}})
	assert.Contains(t, p, "race detector was on")
	assert.Contains(t, p, "The run was interrupted after 3 of 12 rounds")
}

// Figures of any size, zero among them, draw something valid.
func TestDrawingsOfAnyFigures(t *testing.T) {
	any := rapid.OneOf(rapid.Float64Range(0, 1e12), rapid.Just(0.0), rapid.Float64Range(0, 1e-9))
	rapid.Check(t, func(rt *rapid.T) {
		r := sampleRun()
		r.Rows = r.Rows[8:14] // enough for bars, curves and a table
		for i := range r.Rows {
			row := &r.Rows[i]
			row.NsPerOp = any.Draw(rt, "ns")
			for u := range row.Metrics {
				row.Metrics[u] = any.Draw(rt, u)
			}
			if row.Ratio != nil {
				row.Ratio.Value = rapid.Float64Range(1e-9, 1e9).Draw(rt, "ratio")
				lo := row.Ratio.Value * rapid.Float64Range(0, 1).Draw(rt, "lo")
				row.Ratio.Lo = &lo
			}
		}
		checkDrawings(t, pageOf(t, r))
	})
}

// No two labels of a drawing lie on each other, as far as estimated widths tell.
func TestLabelsDoNotOverlap(t *testing.T) {
	textRE := regexp.MustCompile(`<text x="([^"]*)" y="([^"]*)" class="([^"]*)">([^<]*)</text>`)
	type box struct {
		l, r, y float64
		s       string
	}
	for _, s := range svgRE.FindAllString(pageOf(t, sampleRun()), -1) {
		var boxes []box
		for _, m := range textRE.FindAllStringSubmatch(s, -1) {
			x, _ := strconv.ParseFloat(m[1], 64)
			y, _ := strconv.ParseFloat(m[2], 64)
			w := textWidth(m[4])
			b := box{x, x + w, y, m[4]}
			switch {
			case strings.Contains(m[3], "end"):
				b.l, b.r = x-w, x
			case strings.Contains(m[3], "mid"):
				b.l, b.r = x-w/2, x+w/2
			}
			for _, o := range boxes {
				if math.Abs(o.y-b.y) < 10 && b.l < o.r && o.l < b.r {
					t.Errorf("%q lies on %q in %s", b.s, o.s, s)
				}
			}
			boxes = append(boxes, b)
		}
	}
}

func TestScale(t *testing.T) {
	sc := newLogScale(1, 100, 0, 300)
	assert.InDelta(t, 150, sc.at(10), 1e-9)
	assert.Equal(t, 0.0, sc.at(0))
	assert.Equal(t, 300.0, sc.at(1e9))
	for _, span := range [][2]float64{{1, 1}, {1, 1.1}, {0.9, 30}, {1, 1e12}, {1e-9, 1e9}, {0, 0}, {math.NaN(), 1}} {
		sc := newLogScale(span[0], span[1], 0, 300)
		assert.LessOrEqual(t, len(sc.ticks(5)), 5, "%v", span)
		for _, v := range sc.ticks(5) {
			assert.True(t, sc.at(v) >= 0 && sc.at(v) <= 300)
		}
	}
	for _, lo := range []float64{0.001, 0.01, 0.1} {
		for _, v := range newLogScale(lo, 2, 0, 300).decades([]float64{1, 2, 3, 5, 7}, 1) {
			assert.LessOrEqual(t, len(strconv.FormatFloat(v, 'f', -1, 64)), 5, "a label")
		}
	}
}
