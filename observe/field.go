package observe

import (
	"iter"
	"reflect"

	"github.com/poundlock/poundlock/internal/enum"
	"github.com/poundlock/poundlock/internal/stats"
)

// Kind says how a value behaves over time.
type Kind uint8

const (
	Counter      Kind = iota // only grows
	Gauge                    // goes up and down
	Distribution             // many durations: a Latency, and a Snapshot where there is one
)

var kindNames = []string{"counter", "gauge", "distribution"}

// String returns "counter", "gauge" or "distribution".
func (k Kind) String() string { return enum.String(k, kindNames) }

// MarshalText returns what String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (k *Kind) UnmarshalText(text []byte) error { return enum.Parse(k, text, kindNames) }

// The units of a Field.
const (
	Seconds   = "seconds"
	Timestamp = "timestamp_seconds" // since 1970-01-01 UTC
	Bytes     = "bytes"
	Ratio     = "ratio" // 0 to 1
)

// Latency summarises durations; it is the type of the Latency fields of every
// Stats in poundlock, and of those of your own types.
type Latency = stats.Latency

// Histogram counts durations in buckets of bounded relative width. Its zero value
// is empty and ready; Record costs one atomic addition. A type of your own keeps one
// for each Latency that it shows, and hands it out as [Distributed] says.
type Histogram = stats.Histogram

// Snapshot is a distribution at one moment. Snapshots can be added and subtracted.
type Snapshot = stats.Snapshot

// Distributed is a source that gives out the distributions behind the Latency
// fields of its Stats. A summary cannot be added to another or be taken for the last
// ten seconds; a distribution can.
//
// Histograms yields the JSON name of each such field, with a function that adds
// the distribution to a snapshot and may be called until the next iteration:
//
//	func (q *Queue) Histograms() iter.Seq2[string, func(*observe.Snapshot)] {
//		return func(yield func(string, func(*observe.Snapshot)) bool) {
//			_ = yield("wait", q.wait.AddTo) && yield("run_time", q.run.AddTo)
//		}
//	}
type Distributed interface {
	// Histograms may be called from any goroutine, as Stats may.
	Histograms() iter.Seq2[string, func(*Snapshot)]
}

// Field describes one metric of a Stats struct. It is shared: do not change it.
type Field struct {
	Name   string // the JSON name, with those of the structs around it: "queue_wait"
	Reason string // the JSON name of a field in a struct of counters, whose own is in Name; otherwise ""
	Metric string // the name for Prometheus without the kind: "queue_wait_seconds", "submitted_total"
	Kind   Kind   // how it behaves
	Unit   string // Seconds, Timestamp, Bytes, Ratio or ""
	Help   string // one sentence

	index []int
	shape shape
}

// shape says how a field's number is found.
type shape uint8

const (
	unsigned shape = iota
	signed
	floating
	boolean
	duration
	moment
	latency
)

// Value is one field of one source at one moment.
type Value struct {
	*Field

	// Number is the value, in seconds where Unit says so. Of a Distribution it is the
	// count.
	Number float64

	// Latency is set where Kind is Distribution.
	Latency *Latency

	// Snapshot is set where Kind is Distribution and the source is [Distributed].
	Snapshot *Snapshot
}

// Reading is one source at one moment.
type Reading struct {
	Kind string // of the source: "poundlock_workerpool"
	Name string // what it was added under

	// Stats points to the struct that the source returned; nil where Err is set.
	Stats any

	// Values are the metrics of Stats in the order of its fields.
	Values []Value

	// Err says why the source has no values: it wraps ErrTimeout, ErrPanic or
	// ErrSource (a nil pointer).
	Err error
}

var latencyType = reflect.TypeFor[stats.Latency]()
