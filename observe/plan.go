package observe

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// plan is what to read of a Stats struct, made once when a source is added.
type plan struct {
	typ    reflect.Type // the struct
	fields []Field
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
)

// planOf returns the plan of a struct type, or an error that says what is wrong
// with it.
func planOf(t reflect.Type) (*plan, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%w: its Stats is of type %v, which is not a struct", ErrSource, t)
	}
	p := &plan{typ: t}
	if err := p.add(t, nil, ""); err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for i := range p.fields {
		f := &p.fields[i]
		id := f.Metric + "/" + f.Reason
		if other, taken := seen[id]; taken {
			return nil, fmt.Errorf("%w: fields %s and %s of %v are both %s", ErrSource, other, f.Name, t, f.Metric)
		}
		seen[id] = f.Name
	}
	return p, nil
}

// add appends the fields of a struct that stands at an index of the whole. prefix
// is "" or ends in "_".
func (p *plan) add(t reflect.Type, at []int, prefix string) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		f := Field{index: append(at[:len(at):len(at)], i)}
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		tag := sf.Tag.Get("metric")
		switch {
		case sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct && sf.Type != latencyType && sf.Type != timeType:
			if err := p.add(sf.Type, f.index, prefix); err != nil {
				return err
			}
			continue
		case !sf.IsExported(), name == "-", tag == "-":
			continue
		case name == "":
			name = sf.Name
		}
		f.Name = prefix + word(name)
		f.Help = helpOf(t, sf)
		switch {
		case sf.Type == latencyType, sf.Type == timeType, sf.Type.Kind() != reflect.Struct:
			if !f.classify(sf.Type) {
				continue
			}
			f.Kind = kindOfField(t, sf, f.Kind)
			switch tag {
			case "":
			case "counter":
				f.Kind = Counter
			case "gauge":
				f.Kind = Gauge
			default:
				return fmt.Errorf("%w: field %s of %v has the tag metric:%q", ErrSource, sf.Name, t, tag)
			}
			if (f.Kind == Distribution) != (f.shape == latency) {
				return fmt.Errorf("%w: field %s of %v is a distribution and has the tag metric:%q", ErrSource, sf.Name, t, tag)
			}
			f.name()
			p.fields = append(p.fields, f)
		case counters(sf.Type):
			p.addReasons(sf.Type, f)
		default:
			if err := p.add(sf.Type, f.index, f.Name+"_"); err != nil {
				return err
			}
		}
	}
	return nil
}

// counters says whether a struct has nothing but plain unsigned integers.
func counters(t reflect.Type) bool {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Tag.Get("metric") != "" || !isUnsigned(f.Type) || f.Type.NumMethod() > 0 {
			return false
		}
	}
	return t.NumField() > 0
}

// addReasons makes one counter of a struct of them.
func (p *plan) addReasons(t reflect.Type, of Field) {
	for i := range t.NumField() {
		sf, f := t.Field(i), of
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		switch name {
		case "-":
			continue
		case "":
			name = sf.Name
		}
		f.Reason = word(name)
		f.index = append(of.index[:len(of.index):len(of.index)], i)
		f.Kind, f.shape = Counter, unsigned
		f.name()
		p.fields = append(p.fields, f)
	}
}

func isUnsigned(t reflect.Type) bool {
	return t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uint64
}

// classify sets kind, shape and unit by the type, and says whether the field is a
// metric at all.
func (f *Field) classify(t reflect.Type) bool {
	f.Kind = Gauge
	switch k := t.Kind(); {
	case t == latencyType:
		f.Kind, f.shape, f.Unit = Distribution, latency, Seconds
	case t == durationType:
		f.shape, f.Unit = duration, Seconds
		if strings.HasSuffix(strings.TrimSuffix(f.Name, "_ns"), "_time") {
			f.Kind = Counter
		}
	case t == timeType:
		f.shape, f.Unit = moment, Timestamp
	case isUnsigned(t):
		f.shape = unsigned
		if t.NumMethod() == 0 { // otherwise a state, not a count
			f.Kind = Counter
		}
	case k >= reflect.Int && k <= reflect.Int64:
		f.shape = signed
	case k == reflect.Float32, k == reflect.Float64:
		f.shape = floating
		if isRatio(f.Name) {
			f.Unit = Ratio
		}
	case k == reflect.Bool:
		f.shape = boolean
	default:
		return false
	}
	if strings.HasSuffix(f.Name, "_bytes") && f.Unit == "" {
		f.Unit = Bytes
	}
	return true
}

func isRatio(name string) bool {
	last := name[strings.LastIndexByte(name, '_')+1:]
	switch last {
	case "rate", "ratio", "usage", "utilization", "fill", "share", "contention":
		return true
	}
	return false
}

// name sets the metric's name: the field's with its unit, and "_total" behind
// that of a counter.
func (f *Field) name() {
	base := f.Name
	switch f.Unit {
	case Seconds:
		base = strings.TrimSuffix(base, "_ns")
	case Bytes:
		base = strings.TrimSuffix(base, "_bytes")
	case Ratio:
		base = strings.TrimSuffix(strings.TrimSuffix(base, "_rate"), "_ratio")
	}
	f.Metric = base
	if f.Unit != "" {
		f.Metric = strings.TrimSuffix(base, "_"+f.Unit) + "_" + f.Unit
	}
	if f.Kind == Counter {
		f.Metric = strings.TrimSuffix(f.Metric, "_total") + "_total"
	}
}

// read returns the number of a field of s, and its Latency if it is one.
func (f *Field) read(s reflect.Value) (float64, *Latency) {
	v := s.FieldByIndex(f.index)
	switch f.shape {
	case unsigned:
		return float64(v.Uint()), nil
	case signed:
		return float64(v.Int()), nil
	case floating:
		return v.Float(), nil
	case boolean:
		if v.Bool() {
			return 1, nil
		}
		return 0, nil
	case duration:
		return time.Duration(v.Int()).Seconds(), nil
	case moment:
		t := v.Addr().Interface().(*time.Time)
		if t.IsZero() {
			return 0, nil
		}
		return float64(t.UnixNano()) / 1e9, nil
	default:
		l := v.Addr().Interface().(*Latency)
		return float64(l.Count), l
	}
}
