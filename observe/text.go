package observe

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// The media types of the two text formats, for an HTTP handler's Content-Type.
const (
	TextType        = "text/plain; version=0.0.4; charset=utf-8"
	OpenMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

// WriteText writes all metrics in Prometheus's text format 0.0.4. When ctx ends,
// what was read until then is written and the error is ctx's.
func (r *Registry) WriteText(ctx context.Context, w io.Writer) error {
	return r.writeText(ctx, w, false)
}

// WriteOpenMetrics writes all metrics in the text format of OpenMetrics 1.0.
// Otherwise it is like WriteText.
func (r *Registry) WriteOpenMetrics(ctx context.Context, w io.Writer) error {
	return r.writeText(ctx, w, true)
}

// textBuffers hold the text of a family's series each: they must stand together,
// while sources are read one after the other. They are kept for the next text.
type textBuffers struct {
	kind     string
	families []family // of the kind
	spare    []family // their storage, and that of kinds with more
	labels   []byte
	bounds   []bound
	counts   []uint64
	out      bytes.Buffer
}

// bound is the upper bound of a bucket.
type bound struct {
	d    time.Duration
	text string
}

// family is the series of one metric's name.
type family struct {
	field  *Field // the first of the family; those of a struct of counters share one
	series []byte
	native bool // the type is histogram, not summary
}

func (r *Registry) writeText(ctx context.Context, w io.Writer, open bool) error {
	t := r.textBuffers()
	for rd := range r.All(ctx) {
		if rd.Err != nil {
			continue
		}
		if rd.Kind != t.kind {
			t.flush(open)
			t.start(rd)
		}
		t.add(rd)
	}
	t.flush(open)
	if open {
		t.out.WriteString("# EOF\n")
	}
	_, err := w.Write(t.out.Bytes())
	if err == nil {
		err = ctxerr.From(ctx)
	}
	t.kind = ""
	t.out.Reset()
	r.mu.Lock()
	r.text = t
	r.mu.Unlock()
	return err
}

func (r *Registry) textBuffers() *textBuffers {
	r.mu.Lock()
	t := r.text
	r.text = nil
	r.mu.Unlock()
	if t != nil {
		return t
	}
	t = new(textBuffers)
	bounds := r.Bounds
	if bounds == nil {
		bounds = DefaultBounds()
	}
	for _, d := range bounds {
		t.bounds = append(t.bounds, bound{d, string(number(nil, d.Seconds()))})
	}
	t.counts = make([]uint64, len(bounds))
	return t
}

// start makes the families of a kind.
func (t *textBuffers) start(rd *Reading) {
	t.kind = rd.Kind
	n := 0
	for i := range rd.Values {
		v := &rd.Values[i]
		if i > 0 && v.Reason != "" && v.Metric == rd.Values[i-1].Metric {
			continue
		}
		if n == len(t.spare) {
			t.spare = append(t.spare, family{})
		}
		f := &t.spare[n]
		f.field, f.series, f.native = v.Field, f.series[:0], v.Snapshot != nil
		n++
	}
	t.families = t.spare[:n]
}

// add appends the series of a source to the families of its kind.
func (t *textBuffers) add(rd *Reading) {
	n := -1
	for i := range rd.Values {
		v := &rd.Values[i]
		if i == 0 || v.Reason == "" || v.Metric != rd.Values[i-1].Metric {
			n++
		}
		t.labels = append(t.labels[:0], `name="`...)
		t.labels = append(escape(t.labels, rd.Name), '"')
		if v.Reason != "" {
			t.labels = append(t.labels, `,reason="`...)
			t.labels = append(escape(t.labels, v.Reason), '"')
		}
		f := &t.families[n]
		switch {
		case v.Kind != Distribution:
			f.series = t.sample(f.series, v.Metric, "", "", v.Number)
		case v.Snapshot != nil:
			f.series = t.histogram(f.series, v)
		default:
			f.series = t.summary(f.series, v)
		}
	}
}

// sample appends a line. more is one more label, with its comma.
func (t *textBuffers) sample(b []byte, metric, suffix, more string, x float64) []byte {
	b = append(b, t.kind...)
	b = append(b, '_')
	b = append(b, metric...)
	b = append(b, suffix...)
	b = append(b, '{')
	b = append(b, t.labels...)
	b = append(b, more...)
	b = append(b, "} "...)
	return append(number(b, x), '\n')
}

func (t *textBuffers) histogram(b []byte, v *Value) []byte {
	cumulate(v.Snapshot, t.bounds, t.counts)
	for i, n := range t.counts {
		b = t.bucket(b, v.Metric, t.bounds[i].text, n)
	}
	n := v.Snapshot.Count()
	b = t.bucket(b, v.Metric, "+Inf", n)
	b = t.sample(b, v.Metric, "_sum", "", v.Snapshot.Sum())
	return t.sample(b, v.Metric, "_count", "", float64(n))
}

func (t *textBuffers) bucket(b []byte, metric, le string, n uint64) []byte {
	b = append(b, t.kind...)
	b = append(b, '_')
	b = append(b, metric...)
	b = append(b, "_bucket{"...)
	b = append(b, t.labels...)
	b = append(b, `,le="`...)
	b = append(b, le...)
	b = append(b, `"} `...)
	return append(strconv.AppendUint(b, n, 10), '\n')
}

// summary has no _sum: count times mean, which is rounded, can become smaller, and
// that would look like a restart.
func (t *textBuffers) summary(b []byte, v *Value) []byte {
	l := v.Latency
	b = t.sample(b, v.Metric, "", `,quantile="0.5"`, l.P50.Seconds())
	b = t.sample(b, v.Metric, "", `,quantile="0.9"`, l.P90.Seconds())
	b = t.sample(b, v.Metric, "", `,quantile="0.99"`, l.P99.Seconds())
	b = t.sample(b, v.Metric, "", `,quantile="0.999"`, l.P999.Seconds())
	return t.sample(b, v.Metric, "_count", "", v.Number)
}

// flush writes the families of a kind, sorted by name.
func (t *textBuffers) flush(open bool) {
	if t.kind == "" {
		return
	}
	slices.SortFunc(t.families, func(a, b family) int { return strings.Compare(a.field.Metric, b.field.Metric) })
	for i := range t.families {
		f := &t.families[i]
		name := t.kind + "_" + f.field.Metric
		if open {
			name = t.kind + "_" + f.field.family()
		}
		if f.field.Help != "" {
			t.out.WriteString("# HELP " + name + " ")
			t.out.Write(escapeHelp(t.out.AvailableBuffer(), f.field.Help, open))
			t.out.WriteByte('\n')
		}
		t.out.WriteString("# TYPE " + name + " " + f.typ() + "\n")
		if u := f.field.unitInName(); open && u != "" {
			t.out.WriteString("# UNIT " + name + " " + u + "\n")
		}
		t.out.Write(f.series)
	}
}

func (f *family) typ() string {
	switch {
	case f.field.Kind != Distribution:
		return f.field.Kind.String()
	case f.native:
		return "histogram"
	default:
		return "summary"
	}
}
