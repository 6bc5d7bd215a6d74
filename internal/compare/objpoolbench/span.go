package objpoolbench

import (
	"sync"
	"testing"

	"github.com/poundlock/poundlock/internal/compare"
	"github.com/poundlock/poundlock/objpool"
)

// attribute has the layout of an OpenTelemetry attribute.
type attribute struct {
	key   string
	value struct {
		kind    int
		numeric uint64
		text    string
		slice   any
	}
}

// spanData is what a tracer fills for every request and hands to an exporter.
type spanData struct {
	traceID    [16]byte
	spanID     [8]byte
	name       string
	attributes []attribute
}

const spanAttributes = 10

var attributeKeys = [spanAttributes]string{
	"http.method", "http.route", "http.status_code", "net.peer.ip", "net.peer.port",
	"user.id", "db.system", "db.statement", "cache.hit", "region",
}

// fill writes the span of request i. Attributes are written in place: one that is
// built beside and copied costs 5 ns more, in the store forwarding that fails, and ten
// of them would be half of what is measured, whichever way the span was come by.
func (s *spanData) fill(i int) {
	s.traceID[0], s.traceID[15] = byte(i), byte(i>>8)
	s.spanID[7] = byte(i)
	s.name = "GET /users/{id}"
	for j, key := range &attributeKeys {
		s.attributes = append(s.attributes, attribute{})
		a := &s.attributes[j]
		a.key = key
		a.value.kind, a.value.numeric, a.value.text = j&3, uint64(i), key
	}
}

// reset empties the span and keeps the attributes' memory.
func (s *spanData) reset() {
	*s = spanData{attributes: s.attributes[:0]}
}

// export is the exporter. It is a variable so that the compiler cannot know that the
// span stays on the goroutine.
var export = func(s *spanData) int { return len(s.attributes) }

// spans is the case of the object that the fashion for pooling comes from.
func spans() []compare.Case {
	impl := func(name, config string, loop func(n int) int) compare.Impl {
		return compare.Impl{Name: name, Config: config, Bench: func(b *testing.B) {
			b.ReportAllocs()
			b.ResetTimer()
			if got := loop(b.N); got != b.N*spanAttributes {
				b.Fatalf("%d attributes exported, want %d", got, b.N*spanAttributes)
			}
		}}
	}
	pool := objpool.Config[*spanData]{
		New: func() *spanData { return &spanData{attributes: make([]attribute, 0, spanAttributes)} },
	}
	c := newCase("span/attributes=10",
		"One op is a span with 10 attributes: made or taken, filled, exported, dropped or put back.",
		[]compare.Impl{
			impl("poundlock", "Pool, attributes preallocated, emptied before Put", func(n int) (sum int) {
				p := objpool.Must(objpool.New(pool))
				for i := range n {
					s := p.Get()
					s.fill(i)
					sum += export(s)
					s.reset()
					p.Put(s)
				}
				return sum
			}),
			impl("prealloc", "no pool, attributes made with capacity 10", func(n int) (sum int) {
				for i := range n {
					s := &spanData{attributes: make([]attribute, 0, spanAttributes)}
					s.fill(i)
					sum += export(s)
				}
				return sum
			}),
			impl("append", "no pool, attributes grow by append", func(n int) (sum int) {
				for i := range n {
					s := new(spanData)
					s.fill(i)
					sum += export(s)
				}
				return sum
			}),
			impl(nameSync, "with New, attributes preallocated, emptied before Put", func(n int) (sum int) {
				p := &sync.Pool{New: func() any { return pool.New() }}
				for i := range n {
					s := p.Get().(*spanData)
					s.fill(i)
					sum += export(s)
					s.reset()
					p.Put(s)
				}
				return sum
			}),
		})
	c.Metrics = []string{"ns/op", "B/op", "allocs/op"}
	c.Quick = true
	return []compare.Case{c}
}
