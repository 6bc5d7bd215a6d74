package pipeline

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/poundlock/poundlock/objpool"
)

// maxAttrs is how many attributes a span keeps; more are counted and dropped, as
// OTLP provides for.
const maxAttrs = 16

// Span is the record of one operation. All of it is in one piece, so one that comes
// from the pool is filled in without an allocation.
type Span struct {
	id         [24]byte // trace ID and span ID
	name       string
	kind       uint64
	start, end uint64 // Unix time in ns
	attrs      [maxAttrs]Attr
	n, dropped int    // attributes kept, and those without room
	wire       []byte // the encoded span, once it has ended; its memory is used again
}

// Attr is an attribute, a text or a number. It is a plain value: a list of them that
// is passed to Set is built on the caller's stack.
type Attr struct {
	key, text string
	num       int64
	isNum     bool
}

// String returns an attribute that is a text.
func String(key, v string) Attr { return Attr{key: key, text: v} }

// Int returns an attribute that is a number.
func Int(key string, v int64) Attr { return Attr{key: key, num: v, isNum: true} }

// Set adds attributes. It copies them, so the list does not escape to the heap.
func (s *Span) Set(attrs ...Attr) {
	n := copy(s.attrs[s.n:], attrs)
	s.n += n
	s.dropped += len(attrs) - n
}

// ID returns the span's ID.
func (s *Span) ID() [8]byte { return [8]byte(s.id[16:]) }

// NewSpanPool returns a pool that keeps so many spans at most.
func NewSpanPool(most int) (*objpool.Pool[*Span], error) {
	return objpool.New(objpool.Config[*Span]{
		Name:  "spans",
		Max:   most,
		New:   func() *Span { return new(Span) },
		Reset: func(s *Span) (*Span, bool) { s.Reset(); return s, true },
	})
}

// Begin makes s the record of an operation that begins now. kind is OTLP's SpanKind.
func (s *Span) Begin(name string, kind uint64) {
	for i := 0; i < len(s.id); i += 8 {
		binary.LittleEndian.PutUint64(s.id[i:], rand.Uint64())
	}
	s.name, s.kind, s.start = name, kind, uint64(time.Now().UnixNano())
}

// Finish notes the end of the operation and encodes s.
func (s *Span) Finish() {
	s.end = uint64(time.Now().UnixNano())
	s.wire = s.appendTo(s.wire[:0])
}

// Reset makes s ready for the next operation and lets the strings of the last one go.
func (s *Span) Reset() {
	clear(s.attrs[:s.n])
	s.name, s.n, s.dropped = "", 0, 0
}
