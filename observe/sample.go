package observe

import (
	"context"
	"iter"
	"time"
)

// Point is one metric of an instrument in a [Sample].
type Point struct {
	*Field

	// Number is the value, as in a [Value].
	Number float64

	// Rate is how much a counter, or the count of a distribution, grew per second
	// since the sample before. It is 0 in the first sample and after a restart.
	Rate float64

	// Window summarises a distribution over the sampler's window, or over all time
	// where the source is not [Distributed]. Nil for other kinds.
	Window *Latency

	// Lately says that Window is of the sampler's window, not of all time.
	Lately bool
}

// Key returns the field's name, and behind a slash its reason if it has one.
func (f *Field) Key() string {
	if f.Reason != "" {
		return f.Name + "/" + f.Reason
	}
	return f.Name
}

// Instrument is one source in a [Sample].
type Instrument struct {
	Kind   string  // of the source
	Name   string  // what it was added under
	Points []Point // in the order of the fields
	Err    error   // why there are none
}

// Point returns the point with a key such as "queued" or "dropped/full", or nil.
func (in *Instrument) Point(key string) *Point {
	for i := range in.Points {
		f := in.Points[i].Field
		if f.Reason == "" && f.Name == key ||
			f.Reason != "" && len(key) == len(f.Name)+1+len(f.Reason) && f.Key() == key {
			return &in.Points[i]
		}
	}
	return nil
}

// Sample is all instruments at one moment, with what happened since the sample
// before. Nothing changes it afterwards: it may be kept.
type Sample struct {
	At          time.Time     // when it was taken
	Elapsed     time.Duration // since the sample before; 0 in the first
	Instruments []Instrument  // by kind and name
}

// Points yields the instruments of a kind, and of a name unless that is "", that
// have a point with a key.
func (s *Sample) Points(kind, name, key string) iter.Seq2[*Instrument, *Point] {
	return func(yield func(*Instrument, *Point) bool) {
		for i := range s.Instruments {
			in := &s.Instruments[i]
			if in.Kind != kind || name != "" && in.Name != name {
				continue
			}
			if p := in.Point(key); p != nil && !yield(in, p) {
				return
			}
		}
	}
}

// Sampler takes samples of a registry. It has no goroutine and no clock: the caller
// decides when. It is not safe for concurrent use.
type Sampler struct {
	Registry *Registry     // what is sampled
	Window   time.Duration // the last part of time that a Point's Window covers, or up to half of it less. 0: 10 s

	last   time.Time
	tracks map[trackKey]*track
	count  uint64 // of samples
	work   Snapshot
}

type trackKey struct{ kind, name string }

// track is what a sampler remembers of an instrument.
type track struct {
	fields  *Field // the first: tells whether the struct is the same
	numbers []float64
	windows []*window
	seen    uint64 // the last sample that had it
}

// window is a distribution as it was at the window's start, and half a window
// later: when that is a window ago it becomes the start.
type window struct {
	start, half Snapshot
	halfAt      time.Time
}

// Sample reads the registry. When ctx ends before that is done, the sample has what
// was read.
func (s *Sampler) Sample(ctx context.Context, now time.Time) *Sample {
	out := &Sample{At: now}
	if s.tracks == nil {
		s.tracks = map[trackKey]*track{}
	} else {
		out.Elapsed = now.Sub(s.last)
	}
	s.last = now
	s.count++
	for rd := range s.Registry.All(ctx) {
		in := Instrument{Kind: rd.Kind, Name: rd.Name, Err: rd.Err}
		if rd.Err == nil {
			in.Points = s.points(rd, now, out.Elapsed)
		}
		out.Instruments = append(out.Instruments, in)
	}
	if ctx.Err() == nil {
		for k, t := range s.tracks {
			if t.seen != s.count {
				delete(s.tracks, k)
			}
		}
	}
	return out
}

func (s *Sampler) points(rd *Reading, now time.Time, elapsed time.Duration) []Point {
	if len(rd.Values) == 0 {
		return nil
	}
	k := trackKey{rd.Kind, rd.Name}
	t, known := s.tracks[k]
	if !known || t.fields != rd.Values[0].Field {
		known = false
		t = &track{fields: rd.Values[0].Field, numbers: make([]float64, len(rd.Values)), windows: make([]*window, len(rd.Values))}
		s.tracks[k] = t
	}
	t.seen = s.count
	points := make([]Point, len(rd.Values))
	for i := range rd.Values {
		v, p := &rd.Values[i], &points[i]
		p.Field, p.Number = v.Field, v.Number
		if v.Kind != Gauge && known && elapsed > 0 {
			p.Rate = max(v.Number-t.numbers[i], 0) / elapsed.Seconds()
		}
		restarted := v.Number < t.numbers[i]
		t.numbers[i] = v.Number
		switch {
		case v.Kind != Distribution:
		case v.Snapshot == nil:
			l := *v.Latency
			p.Window = &l
		default:
			if t.windows[i] == nil || restarted {
				t.windows[i] = &window{halfAt: now}
				if s.count == 1 { // what was before the first sample is not of late
					t.windows[i].start.Merge(v.Snapshot)
					t.windows[i].half.Merge(v.Snapshot)
				}
			}
			p.Window, p.Lately = s.lately(t.windows[i], v.Snapshot, now), true
		}
	}
	return points
}

// lately returns the summary of what a distribution got within the window.
func (s *Sampler) lately(w *window, current *Snapshot, now time.Time) *Latency {
	length := s.Window
	if length <= 0 {
		length = 10 * time.Second
	}
	s.work.Reset()
	s.work.Merge(current)
	s.work.Sub(&w.start)
	l := s.work.Latency()
	if now.Sub(w.halfAt) >= length/2 {
		w.start, w.half = w.half, w.start
		w.half.Reset()
		w.half.Merge(current)
		w.halfAt = now
	}
	return &l
}
