package health

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Other is the name under which a [Recorder] files the operations that came when
// its names were used up.
const Other = "(other)"

// RecorderConfig says what a [Recorder] keeps.
type RecorderConfig struct {
	// Threshold is the least duration of a call that is kept. Default (0): every call.
	Threshold time.Duration
	// MaxNames bounds the operations that are told apart; further ones are filed
	// under [Other]. Default: 256; a negative number files all there.
	MaxNames int
}

// Recorder keeps figures of slow calls by the operation's name, in memory bounded
// by MaxNames. It is safe for concurrent use; make one with [NewRecorder].
type Recorder struct {
	cfg RecorderConfig

	mu    sync.Mutex // guards all below
	calls map[string]*Calls
}

// Calls are the figures of one operation.
type Calls struct {
	Name   string        `json:"name"`     // the operation's
	Count  uint64        `json:"count"`    // calls kept
	Errors uint64        `json:"errors"`   // those of them that failed
	Total  time.Duration `json:"total_ns"` // the sum of their durations
	Min    time.Duration `json:"min_ns"`   // the shortest
	Mean   time.Duration `json:"mean_ns"`  // Total / Count
	Max    time.Duration `json:"max_ns"`   // the longest
	Last   time.Time     `json:"last"`     // when the last one ended
}

// NewRecorder returns an empty Recorder.
func NewRecorder(cfg RecorderConfig) *Recorder {
	if cfg.MaxNames == 0 {
		cfg.MaxNames = 256
	}
	return &Recorder{cfg: cfg, calls: make(map[string]*Calls)}
}

// Record files a call that took d and ended with err at the given time, and
// reports whether it was slow enough to be kept. A negative d counts as 0.
func (r *Recorder) Record(name string, d time.Duration, err error, at time.Time) bool {
	d = max(d, 0)
	if d < r.cfg.Threshold {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[name]
	if c == nil {
		c = r.addLocked(name)
	}
	if c.Count == 0 {
		c.Min = d
	}
	c.Count++
	c.Total += d
	c.Min, c.Max = min(c.Min, d), max(c.Max, d)
	if at.After(c.Last) {
		c.Last = at
	}
	if err != nil {
		c.Errors++
	}
	return true
}

func (r *Recorder) addLocked(name string) *Calls {
	n := len(r.calls)
	if r.calls[Other] != nil {
		n--
	}
	if n >= r.cfg.MaxNames {
		name = Other
		if c := r.calls[Other]; c != nil {
			return c
		}
	}
	c := &Calls{Name: name}
	r.calls[name] = c
	return c
}

// Time runs f and files it under name. It returns f's error; a panic of f is not
// filed.
func (r *Recorder) Time(name string, f func() error) error {
	begin := time.Now()
	err := f()
	d := time.Since(begin)
	r.Record(name, d, err, begin.Add(d))
	return err
}

// Calls returns the figures of all operations, the largest Total first.
func (r *Recorder) Calls() []Calls {
	r.mu.Lock()
	all := make([]Calls, 0, len(r.calls))
	for _, c := range r.calls {
		v := *c
		v.Mean = v.Total / time.Duration(max(v.Count, 1))
		all = append(all, v)
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b Calls) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// Clear forgets all calls.
func (r *Recorder) Clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.calls)
}
