package observe

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Source is anything with a Stats method: every type of poundlock, *sql.DB and
// types of your own.
type Source[S any] interface {
	// Stats is called once for every reading, on another goroutine than the reader's.
	Stats() S
}

// Registry holds sources under names. The zero value is empty and ready. All
// methods are safe for concurrent use. A Registry must not be copied after first use.
//
// A *Registry is an expvar.Var, a slog.LogValuer and a fmt.Stringer.
type Registry struct {
	// Timeout bounds how long one source may take to answer. A source that takes
	// longer is left out with ErrTimeout, and is not asked again before that call has
	// returned; the call keeps its goroutine until then. 0: 100 ms. Not to be changed
	// after first use.
	Timeout time.Duration

	// Bounds are the upper bounds of the buckets that histograms have in text, in
	// ascending order. Nil: [DefaultBounds]. Empty: +Inf only. Not to be changed after
	// first use.
	Bounds []time.Duration

	mu      sync.Mutex
	sources []*source            // by kind and name; a slice that was read is not written again
	kinds   map[string]*kindInfo // of sources
	free    map[*plan]*buffer    // of the last reading; guarded by mu
	text    *textBuffers         // of the last text; guarded by mu

	reads    atomic.Uint64
	panics   atomic.Uint64
	timeouts atomic.Uint64
}

// source is what was added.
type source struct {
	kind, name string
	plan       *plan
	fetch      func(*buffer) error // calls Stats
	dist       Distributed         // nil if the source is not
	stuck      atomic.Int32        // calls that did not return in time and have not yet
}

// kindInfo is what all sources of a kind have in common.
type kindInfo struct {
	plan        *plan
	distributed bool
	sources     int
}

// Add registers src under a name. Its kind comes from the type that Stats returns:
// poundlock_workerpool from workerpool.Stats, shop_mailer from shop.MailerStats. The
// registry keeps src alive until remove is called, which may be done more than once.
//
// Add does not call Stats. It returns an error that wraps
//   - ErrSource for a nil src and for a Stats whose result is not a struct or a
//     pointer to one, has two fields of one name, or differs from that of other
//     sources of the kind,
//   - ErrName for a name that is not usable,
//   - ErrDuplicate for a kind and name that are taken.
func Add[S any](r *Registry, name string, src Source[S]) (remove func(), err error) {
	t := reflect.TypeFor[S]()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if v := reflect.ValueOf(src); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, fmt.Errorf("%w: %q is nil", ErrSource, name)
	}
	dist, _ := src.(Distributed)
	return add(r, kindOf(t), name, src.Stats, dist)
}

// AddFunc registers a function that returns a struct, under a kind of your choice:
// lower-case words joined by _. Use it where there is no Stats method, and to
// map the struct of another library to one of yours. A Latency in the struct becomes a
// summary: a function has no Histograms. Everything else is as with [Add].
func AddFunc[S any](r *Registry, kind, name string, stats func() S) (remove func(), err error) {
	if stats == nil {
		return nil, fmt.Errorf("%w: %q is nil", ErrSource, name)
	}
	return add(r, kind, name, stats, nil)
}

func add[S any](r *Registry, kind, name string, stats func() S, dist Distributed) (func(), error) {
	p, err := planOf(reflect.TypeFor[S]())
	if err != nil {
		return nil, fmt.Errorf("%w (%s %q)", err, kind, name)
	}
	if !slices.ContainsFunc(p.fields, func(f Field) bool { return f.Kind == Distribution }) {
		dist = nil
	}
	return r.add(&source{kind: kind, name: name, plan: p, fetch: fetcher(stats), dist: dist})
}

func (r *Registry) add(s *source) (remove func(), err error) {
	if err := checkKind(s.kind); err != nil {
		return nil, err
	}
	if err := checkName(s.kind, s.name); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at, taken := slices.BinarySearchFunc(r.sources, s, compareSources)
	if taken || s.kind == selfKind && s.name == selfName {
		return nil, fmt.Errorf("%w: %s %q", ErrDuplicate, s.kind, s.name)
	}
	k := r.kinds[s.kind]
	if k == nil {
		k = &kindInfo{plan: s.plan, distributed: s.dist != nil}
		if err := r.checkMetrics(s.kind, k); err != nil {
			return nil, err
		}
	}
	if k.plan.typ != s.plan.typ || k.distributed != (s.dist != nil) {
		return nil, fmt.Errorf("%w: %s %q: the other sources of the kind return a %v (Histograms: %t), this one a %v (Histograms: %t)",
			ErrSource, s.kind, s.name, k.plan.typ, k.distributed, s.plan.typ, s.dist != nil)
	}
	if r.kinds == nil {
		r.kinds = make(map[string]*kindInfo)
	}
	r.kinds[s.kind] = k
	k.sources++
	s.plan = k.plan
	r.sources = slices.Insert(slices.Clip(slices.Clone(r.sources)), at, s)
	return func() { r.remove(s) }, nil
}

func (r *Registry) remove(s *source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.sources, s)
	if i < 0 {
		return
	}
	r.sources = slices.Delete(slices.Clone(r.sources), i, i+1)
	k := r.kinds[s.kind]
	if k.sources--; k.sources == 0 {
		delete(r.kinds, s.kind)
	}
}

func compareSources(a, b *source) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
}

// checkMetrics returns an error if a new kind has a metric whose name another kind
// has: kind a_b with field c, and kind a with field b_c. The caller holds mu.
func (r *Registry) checkMetrics(kind string, k *kindInfo) error {
	names := map[string]string{}
	for other, o := range r.kinds {
		o.plan.series(other, func(name string) bool { names[name] = other; return true })
	}
	selfPlan.series(selfKind, func(name string) bool { names[name] = selfKind; return true })
	var err error
	k.plan.series(kind, func(name string) bool {
		if other, taken := names[name]; taken && other != kind {
			err = fmt.Errorf("%w: metric %s is one of kind %s already", ErrSource, name, other)
		}
		return err == nil
	})
	return err
}

// series yields the names of all series that the fields make.
func (p *plan) series(kind string, yield func(string) bool) {
	for i := range p.fields {
		f := &p.fields[i]
		name := kind + "_" + f.Metric
		if !yield(name) {
			return
		}
		if f.Kind == Distribution && !(yield(name+"_bucket") && yield(name+"_sum") && yield(name+"_count")) {
			return
		}
	}
}

// RegistryStats says how a registry does.
type RegistryStats struct {
	Sources  int    `json:"sources"`  // sources that are registered
	Stuck    int    `json:"stuck"`    // sources that have not answered yet and are left out
	Reads    uint64 `json:"reads"`    // readings of all sources
	Panics   uint64 `json:"panics"`   // panics and Goexits of sources
	Timeouts uint64 `json:"timeouts"` // calls of sources that took longer than Timeout
}

// The registry's own statistics are part of every reading.
const (
	selfKind = "poundlock_registry"
	selfName = "registry"
)

var selfPlan = func() *plan {
	p, err := planOf(reflect.TypeFor[RegistryStats]())
	if err != nil {
		panic(err)
	}
	return p
}()

// Stats returns how the registry does. Every reading has it, as kind
// poundlock_registry.
func (r *Registry) Stats() RegistryStats {
	r.mu.Lock()
	sources := r.sources
	r.mu.Unlock()
	s := RegistryStats{Sources: len(sources), Reads: r.reads.Load(), Panics: r.panics.Load(), Timeouts: r.timeouts.Load()}
	for _, e := range sources {
		if e.stuck.Load() > 0 {
			s.Stuck++
		}
	}
	return s
}
