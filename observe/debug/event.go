package debug

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/poundlock/poundlock/observe"
)

// The page learns once what there is (the event "schema"), and every second the
// numbers in the same order ("tick"). "history" are the ticks before it came.

// schemaRow describes an instrument.
type schemaRow struct {
	Kind   string     `json:"k"`
	Name   string     `json:"n"`
	Fields []fieldRow `json:"f"`
	Mains  []string   `json:"m"`           // names of rate, queue, wait; "" where there is none
	Lately bool       `json:"l,omitempty"` // the wait's p99 is of the last 10 s, not of all time
}

// fieldRow describes a field.
type fieldRow struct {
	Name string `json:"n"`
	Kind string `json:"t"` // counter, gauge or distribution
	Unit string `json:"u,omitempty"`
	Help string `json:"h,omitempty"`
}

// mains are the numbers that are drawn, of all instruments at one moment.
type mains struct {
	At   int64   `json:"t"` // milliseconds
	Rows [][]num `json:"r"` // rate, queue, bound of queue, wait's p99 in ns, errors per second; null where there is none
}

// row is an instrument in a tick.
type row struct {
	Values []any          `json:"v"` // numbers; of a distribution count, p50, p99 and max
	Hints  []observe.Hint `json:"h,omitempty"`
	Err    string         `json:"e,omitempty"`
}

// num is a number that JSON can have: null for what is none.
type num float64

var none = num(math.NaN())

// MarshalJSON writes whole numbers in full and others with six digits.
func (n num) MarshalJSON() ([]byte, error) {
	x := float64(n)
	switch {
	case math.IsNaN(x), math.IsInf(x, 0):
		return []byte("null"), nil
	case x == math.Trunc(x) && math.Abs(x) < 1<<53:
		return strconv.AppendInt(nil, int64(x), 10), nil
	}
	return strconv.AppendFloat(nil, x, 'g', 6, 64), nil
}

// tick is what a sample becomes.
type tick struct {
	schema []byte // nil: unchanged
	event  []byte
	mains  mains
}

// encoder remembers what the page knows.
type encoder struct {
	cfg    Config
	schema []byte
	known  map[[2]string]schemaRow // what an instrument had, for when it cannot be read

	// Hints compare with a sample of 15 to 30 s ago.
	earlier, later *observe.Sample
}

const compareAfter = 15 * time.Second

func (e *encoder) encode(s *observe.Sample) tick {
	if e.later == nil || s.At.Sub(e.later.At) >= compareAfter {
		e.earlier, e.later = e.later, s
	}
	before := map[[2]string]*observe.Instrument{}
	if e.earlier != nil {
		for i := range e.earlier.Instruments {
			in := &e.earlier.Instruments[i]
			before[[2]string{in.Kind, in.Name}] = in
		}
	}
	known := map[[2]string]schemaRow{}
	t := tick{mains: mains{At: s.At.UnixMilli()}}
	schema := make([]schemaRow, len(s.Instruments))
	rows := make([]row, len(s.Instruments))
	for i := range s.Instruments {
		in := &s.Instruments[i]
		h := observe.Headline(in)
		key := [2]string{in.Kind, in.Name}
		if schema[i] = describe(in, h); in.Err != nil && e.known[key].Fields != nil {
			schema[i] = e.known[key]
		}
		known[key] = schema[i]
		rows[i] = values(in)
		rows[i].Hints = observe.Hints(in, before[key])
		t.mains.Rows = append(t.mains.Rows, drawn(h))
	}
	e.known = known
	if b := event("schema", map[string]any{"title": e.cfg.Title, "captures": e.cfg.Captures != nil, "rows": schema}); !bytes.Equal(b, e.schema) {
		t.schema, e.schema = b, b
	}
	t.event = event("tick", map[string]any{"m": t.mains, "rows": rows})
	return t
}

func describe(in *observe.Instrument, h observe.Headlines) schemaRow {
	s := schemaRow{Kind: in.Kind, Name: in.Name, Mains: make([]string, 3), Fields: []fieldRow{}}
	for i, p := range []*observe.Point{h.Rate, h.Queue, h.Wait} {
		if p != nil {
			s.Mains[i] = p.Key()
		}
	}
	s.Lately = h.Wait != nil && h.Wait.Lately
	for _, p := range in.Points {
		s.Fields = append(s.Fields, fieldRow{p.Key(), p.Kind.String(), p.Unit, p.Help})
	}
	return s
}

func values(in *observe.Instrument) row {
	r := row{Values: []any{}}
	if in.Err != nil {
		r.Err = in.Err.Error()
	}
	for _, p := range in.Points {
		if l := p.Window; l != nil {
			r.Values = append(r.Values, []num{num(p.Number), num(l.P50), num(l.P99), num(l.Max)})
			continue
		}
		r.Values = append(r.Values, num(p.Number))
	}
	return r
}

func drawn(h observe.Headlines) []num {
	r := []num{none, none, none, none, none}
	if h.Rate != nil {
		r[0] = num(h.Rate.Rate)
	}
	if h.Queue != nil {
		r[1] = num(h.Queue.Number)
	}
	if h.Cap != nil && h.Cap.Number > 0 {
		r[2] = num(h.Cap.Number)
	}
	if h.Wait != nil {
		r[3] = 0
		if l := h.Wait.Window; l != nil {
			r[3] = num(l.P99)
		}
	}
	if len(h.Errors) > 0 {
		r[4] = 0
		for _, p := range h.Errors {
			r[4] += num(p.Rate)
		}
	}
	return r
}

func historyEvent(h []mains) []byte {
	if h == nil {
		h = []mains{}
	}
	return event("history", h)
}

// event writes a server-sent event.
func event(name string, data any) []byte {
	b, err := json.Marshal(data)
	if err != nil { // of numbers that are none; num writes null
		panic(err)
	}
	return append(append([]byte("event: "+name+"\ndata: "), b...), '\n', '\n')
}
