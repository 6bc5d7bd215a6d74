package observe

import (
	"fmt"
	"reflect"
)

// buffer is where sources with one plan are read into, one after the other.
type buffer struct {
	plan      *plan
	stats     any           // points to the struct
	value     reflect.Value // the struct
	values    []Value
	snapshots []*Snapshot // of the values; nil where they are no distribution
}

func newBuffer(p *plan) *buffer {
	b := &buffer{plan: p, values: make([]Value, len(p.fields)), snapshots: make([]*Snapshot, len(p.fields))}
	for i := range p.fields {
		b.values[i].Field = &p.fields[i]
		if p.fields[i].Kind == Distribution {
			b.snapshots[i] = new(Snapshot)
		}
	}
	return b
}

// fetcher returns a function that calls stats and makes its result what the buffer
// holds. The storage of a struct is used again.
func fetcher[S any](stats func() S) func(*buffer) error {
	if reflect.TypeFor[S]().Kind() == reflect.Pointer {
		return func(b *buffer) error {
			p := reflect.ValueOf(stats())
			if p.IsNil() {
				return fmt.Errorf("%w: its Stats returned nil", ErrSource)
			}
			b.stats, b.value = p.Interface(), p.Elem()
			return nil
		}
	}
	return func(b *buffer) error {
		s, ok := b.stats.(*S)
		if !ok {
			s = new(S)
			b.stats, b.value = s, reflect.ValueOf(s).Elem()
		}
		*s = stats()
		return nil
	}
}

func (b *buffer) readFields() {
	for i := range b.values {
		v := &b.values[i]
		v.Number, v.Latency = v.read(b.value)
		v.Snapshot = nil
	}
}

// readSnapshots sets the Snapshot of every distribution; one that the source does
// not yield is empty.
func (b *buffer) readSnapshots(src Distributed) {
	for i, s := range b.snapshots {
		if s != nil {
			s.Reset()
			b.values[i].Snapshot = s
		}
	}
	for name, addTo := range src.Histograms() {
		for i, s := range b.snapshots {
			if s != nil && b.values[i].Name == name {
				addTo(s)
			}
		}
	}
	for i, s := range b.snapshots {
		if s != nil {
			b.values[i].Number = float64(s.Count())
		}
	}
}
