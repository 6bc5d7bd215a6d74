package objpool

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"unsafe"

	"github.com/poundlock/poundlock/internal/enum"
)

// Debug chooses how closely a pool watches its users. Anything but DebugOff costs
// microseconds, a stack trace and a lock per call: it is for tests and for hunting a
// bug, not for production.
//
// Debug needs objects that have an identity: T must be a pointer to a type of
// non-zero size, a slice, a map or a channel.
type Debug uint8

const (
	// DebugOff looks for nothing.
	DebugOff Debug = iota

	// DebugDoublePut finds a Put of an object that is in the pool already, or that
	// shares memory with one, like s[1:] of a slice s: two later Gets would share it.
	// The second Put discards nothing and is reported.
	DebugDoublePut

	// DebugUseAfterPut finds that and writes to an object while it is in the pool,
	// when Get is about to return it; the object is then discarded. What a pointer
	// points to and the elements of a slice, up to its capacity, are watched, and of
	// [Buffers] the content that Bytes returned, but not what lies behind further
	// pointers. Memory without pointers is also filled
	// with 0xDB while the object is in the pool, to make reads stand out, and
	// restored by Get.
	DebugUseAfterPut
)

var debugNames = []string{"off", "double-put", "use-after-put"}

// String returns "off", "double-put" or "use-after-put".
func (d Debug) String() string { return enum.String(d, debugNames) }

// MarshalText returns what String does.
func (d Debug) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (d *Debug) UnmarshalText(text []byte) error { return enum.Parse(d, text, debugNames) }

const poison = 0xDB

// Misuse is what Debug found, with the stacks of both places. It is an error.
type Misuse struct {
	Pool string // Config.Name
	Kind Debug  // DebugDoublePut or DebugUseAfterPut

	// Put is the stack of the Put that brought the object into the pool; Found that
	// of the second Put, or of the Get that noticed the write.
	Put, Found string
}

// Error says what happened, with both stacks.
func (m *Misuse) Error() string {
	what, found := "Put of an object that is in the pool already", "second Put"
	if m.Kind == DebugUseAfterPut {
		what, found = "object was written to after Put", "found by Get"
	}
	return fmt.Sprintf("objpool: pool %q: %s\n\nPut:\n%s\n%s:\n%s", m.Pool, what, m.Put, found, m.Found)
}

// checkDebug returns an error if objects of type T cannot be told apart.
func checkDebug[T any](d Debug) error {
	if d == DebugOff {
		return nil
	}
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.Map, reflect.Chan:
		return nil
	case reflect.Pointer, reflect.Slice:
		if t.Elem().Size() > 0 {
			return nil
		}
	}
	return fmt.Errorf("objpool: Debug needs objects with an identity, which %v has not", t)
}

// debugger knows which objects are in the pool.
type debugger[T any] struct {
	name   string
	mode   Debug
	report func(*Misuse)
	typ    reflect.Type
	plain  bool           // the elements hold no pointers, and can be overwritten
	also   func(T) []byte // memory that belongs to an object too; nil if there is none

	mu    sync.Mutex
	in    map[unsafe.Pointer]*resident // by identity; guarded by mu, like all below
	taken []region                     // of all residents, by address
}

// resident is an object in the pool.
type resident struct {
	put     []uintptr // who put it
	regions []region
}

// region is memory of a resident. The regions of all residents never overlap: an object
// that shares memory with one in the pool counts as put a second time.
type region struct {
	at     unsafe.Pointer
	size   uintptr
	of     *resident
	plain  bool   // overwritten while it is in the pool
	memory []byte // the same, to look at; nil if nothing is watched
	saved  []byte // its content at Put
	keep   any    // the content, typed: keeps alive what it points to
}

func (r region) start() uintptr { return uintptr(r.at) }
func (r region) end() uintptr   { return uintptr(r.at) + r.size }

func newDebugger[T any](c *Config[T]) *debugger[T] {
	if c.Debug == DebugOff {
		return nil
	}
	d := &debugger[T]{
		name: c.Name, mode: c.Debug, report: c.OnMisuse,
		typ: reflect.TypeFor[T](), also: c.memory, in: make(map[unsafe.Pointer]*resident),
	}
	if k := d.typ.Kind(); k == reflect.Pointer || k == reflect.Slice {
		d.plain = !hasPointers(d.typ.Elem())
	}
	return d
}

// identity is the first word of v: a pointer in every type that checkDebug admits.
// Slices without capacity have none.
func (d *debugger[T]) identity(v *T) unsafe.Pointer {
	if d.typ.Kind() == reflect.Slice && reflect.ValueOf(*v).Cap() == 0 {
		return nil
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(v))
}

// regions returns the memory of v, and what is in it if it is to be watched.
func (d *debugger[T]) regions(v T, watch bool) (all []region) {
	id := d.identity(&v)
	if id == nil {
		return nil
	}
	if src, ok := d.elements(v); !ok {
		all = append(all, region{at: id, size: 1}) // a map or a channel
	} else {
		all = append(all, newRegion(src, d.plain, watch))
	}
	if d.also != nil {
		if b := d.also(v); len(b) > 0 {
			all = append(all, newRegion(reflect.ValueOf(b), true, watch))
		}
	}
	return all
}

// elements returns a slice over what v points to.
func (d *debugger[T]) elements(v T) (reflect.Value, bool) {
	switch val := reflect.ValueOf(v); val.Kind() {
	case reflect.Pointer:
		return reflect.SliceAt(d.typ.Elem(), val.UnsafePointer(), 1), true
	case reflect.Slice:
		return val.Slice(0, val.Cap()), true
	default:
		return val, false
	}
}

func newRegion(src reflect.Value, plain, watch bool) region {
	b := raw(src)
	r := region{at: src.UnsafePointer(), size: uintptr(len(b)), plain: plain}
	if watch {
		dst := reflect.MakeSlice(src.Type(), src.Len(), src.Len())
		reflect.Copy(dst, src)
		r.memory, r.saved, r.keep = b, raw(dst), dst.Interface()
	}
	return r
}

// raw returns the bytes of the elements of a slice.
func raw(s reflect.Value) []byte {
	n := s.Len() * int(s.Type().Elem().Size())
	return unsafe.Slice((*byte)(s.UnsafePointer()), n)
}

// holder returns the resident that one of the regions belongs to, or nil.
func (d *debugger[T]) holder(all []region) *resident {
	for _, r := range all {
		if i := d.find(r); i < len(d.taken) && d.taken[i].start() < r.end() {
			return d.taken[i].of
		}
	}
	return nil
}

// find returns the place of the first region that ends behind the start of r.
func (d *debugger[T]) find(r region) int {
	return sort.Search(len(d.taken), func(i int) bool { return d.taken[i].end() > r.start() })
}

// mayEnter reports whether v is not in the pool.
func (d *debugger[T]) mayEnter(v T) bool {
	all := d.regions(v, false)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.holder(all) == nil
}

// enter notes that v is about to be in the pool, unless it is in already.
func (d *debugger[T]) enter(v T) bool {
	r := &resident{put: callers()}
	d.mu.Lock()
	defer d.mu.Unlock()
	r.regions = d.regions(v, d.mode == DebugUseAfterPut)
	if r.regions == nil {
		return true
	}
	if d.holder(r.regions) != nil {
		return false
	}
	d.in[d.identity(&v)] = r
	for i := range r.regions {
		g := &r.regions[i]
		g.of = r
		d.taken = slices.Insert(d.taken, d.find(*g), *g)
		if g.plain {
			for j := range g.memory {
				g.memory[j] = poison
			}
		}
	}
	return true
}

// leave notes that v was taken out and reports whether it is as it was.
func (d *debugger[T]) leave(v T) bool {
	r, intact := d.remove(v)
	if !intact {
		d.tell(&Misuse{Pool: d.name, Kind: DebugUseAfterPut, Put: frames(r.put), Found: frames(callers())})
	}
	return intact
}

// forget notes that v is given up.
func (d *debugger[T]) forget(v T) { d.remove(v) }

func (d *debugger[T]) remove(v T) (r *resident, intact bool) {
	id := d.identity(&v)
	d.mu.Lock()
	defer d.mu.Unlock()
	if r = d.in[id]; r == nil {
		return nil, true // without identity
	}
	delete(d.in, id)
	intact = true
	for i := range r.regions {
		g := &r.regions[i]
		at := d.find(*g)
		d.taken = slices.Delete(d.taken, at, at+1)
		intact = g.intact() && intact
	}
	for i := range r.regions {
		if g := &r.regions[i]; intact && g.plain {
			copy(g.memory, g.saved)
		}
	}
	return r, intact
}

// intact reports whether nobody wrote to what is watched.
func (g *region) intact() bool {
	if !g.plain {
		return bytes.Equal(g.memory, g.saved)
	}
	for _, b := range g.memory {
		if b != poison {
			return false
		}
	}
	return true
}

func (d *debugger[T]) reportDoublePut(v T) {
	all := d.regions(v, false)
	d.mu.Lock()
	first := "(it left the pool meanwhile)\n"
	if r := d.holder(all); r != nil {
		first = frames(r.put)
	}
	d.mu.Unlock()
	d.tell(&Misuse{Pool: d.name, Kind: DebugDoublePut, Put: first, Found: frames(callers())})
}

func (d *debugger[T]) tell(m *Misuse) {
	if d.report == nil {
		panic(m)
	}
	d.report(m)
}

func callers() []uintptr {
	pcs := make([]uintptr, 32)
	return pcs[:runtime.Callers(3, pcs)]
}

func frames(pcs []uintptr) string {
	var b strings.Builder
	for fs := runtime.CallersFrames(pcs); ; {
		f, more := fs.Next()
		fmt.Fprintf(&b, "\t%s\n\t\t%s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}

// hasPointers reports whether values of type t hold pointers.
func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.Interface,
		reflect.Slice, reflect.String, reflect.UnsafePointer:
		return true
	}
	return false
}
