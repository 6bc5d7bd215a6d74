package objpool

import (
	"bytes"
	"cmp"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/nocopy"
	"github.com/poundlock/poundlock/internal/rt"
)

// BufferConfig describes [Buffers]. The zero value works.
type BufferConfig struct {
	// Max bounds how many buffers are retained: 0 means DefaultMax; see [Config].
	Max int

	// InitialSize is the capacity in bytes that a new buffer starts with. 0 means
	// none: it grows at the first write. Negative, or above MaxSize, is an error.
	InitialSize int

	// MaxSize is the largest capacity in bytes that a retained buffer may have; one
	// that grew beyond it is left to the garbage collector and replaced by a new
	// one. 0 means 64 KiB; negative is an error. So retained memory is at most
	// Max * MaxSize.
	MaxSize int

	// IdleTimeout, Name, Debug and OnMisuse are as in [Config].
	IdleTimeout time.Duration
	Name        string
	Debug       Debug
	OnMisuse    func(*Misuse)
}

// Buffers is a pool of *bytes.Buffer. All methods are safe for concurrent use.
type Buffers struct {
	_ nocopy.NoCopy

	pool    *Pool[*bytes.Buffer]
	maxSize int

	replaced atomic.Uint64
}

// NewBuffers returns an empty pool, or an error that names the field that is wrong.
func NewBuffers(cfg BufferConfig) (*Buffers, error) {
	limit := cmp.Or(cfg.MaxSize, 64<<10)
	switch {
	case cfg.MaxSize < 0:
		return nil, fmt.Errorf("objpool: MaxSize %d is negative", cfg.MaxSize)
	case cfg.InitialSize < 0:
		return nil, fmt.Errorf("objpool: InitialSize %d is negative", cfg.InitialSize)
	case cfg.InitialSize > limit:
		return nil, fmt.Errorf("objpool: InitialSize %d exceeds MaxSize %d", cfg.InitialSize, limit)
	}
	makeNew := func() *bytes.Buffer { return new(bytes.Buffer) }
	if n := cfg.InitialSize; n > 0 {
		makeNew = func() *bytes.Buffer { return bytes.NewBuffer(make([]byte, 0, n)) }
	}
	p, err := New(Config[*bytes.Buffer]{
		New:         makeNew,
		Max:         cfg.Max,
		IdleTimeout: cfg.IdleTimeout,
		Name:        cfg.Name,
		Debug:       cfg.Debug,
		OnMisuse:    cfg.OnMisuse,
		memory:      func(b *bytes.Buffer) []byte { s := b.Bytes(); return s[:cap(s)] }, // less than Cap if b was read from
	})
	if err != nil {
		return nil, err
	}
	return &Buffers{pool: p, maxSize: limit}, nil
}

// Get returns an empty buffer.
func (b *Buffers) Get() *bytes.Buffer { return b.pool.Get() }

// Put empties buf, keeping its memory, and gives it back; it reports whether the
// pool kept a buffer. One that grew beyond MaxSize is dropped and a new one kept in
// its place, unless the pool is closed. Put does not keep nil, nor any buffer when Max
// is reached or the pool is closed. The caller must not use buf, nor any slice of its content, afterwards.
func (b *Buffers) Put(buf *bytes.Buffer) bool {
	if buf == nil || buf.Cap() > b.maxSize {
		return b.putSlow(buf)
	}
	buf.Reset()
	// The fast path of Pool.Put once more: a call is an eighth of all that a Get and
	// a Put cost (BenchmarkBuffers).
	p := b.pool
	if pinnedBuild && p.mags.quick.Load()&quickPut != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags.at)) {
			m := p.mags.at[id].Load()
			if s := m.state; s&lenMask < m.capacity {
				m.push(s, buf)
				rt.Unpin()
				return true
			}
		}
		rt.Unpin()
	}
	return p.putSlow(buf)
}

// putSlow is Put of nil and of a buffer that is too large.
func (b *Buffers) putSlow(buf *bytes.Buffer) bool {
	p := b.pool
	switch {
	case buf == nil || p.dbg != nil && !p.dbg.mayEnter(buf):
		// Put counts it, and reports a buffer that is in the pool and grew there.
	case p.isClosed():
		p.reject(buf, ReasonClosed)
		return false
	default:
		b.replaced.Add(1)
		buf = p.cfg.New()
	}
	return p.Put(buf)
}

// Replaced returns how many buffers were replaced because they grew beyond MaxSize.
func (b *Buffers) Replaced() uint64 { return b.replaced.Load() }

// Do calls f with an empty buffer and puts it back; see [Pool.Do].
func (b *Buffers) Do(f func(*bytes.Buffer) error) error {
	if f == nil {
		panic("objpool: Do of a nil function")
	}
	buf := b.Get()
	returned := false
	defer func() {
		if returned {
			b.Put(buf)
		} else {
			b.pool.reject(buf, ReasonPanicked)
		}
	}()
	err := f(buf)
	returned = true
	return err
}

// TryGet returns a retained buffer, emptied, or false.
func (b *Buffers) TryGet() (*bytes.Buffer, bool) { return b.pool.TryGet() }

// Prewarm makes up to n buffers; see [Pool.Prewarm].
func (b *Buffers) Prewarm(n int) int { return b.pool.Prewarm(n) }

// Resize sets the bound on retained buffers; see [Pool.Resize].
func (b *Buffers) Resize(max int) error { return b.pool.Resize(max) }

// Trim discards up to n retained buffers; see [Pool.Trim].
func (b *Buffers) Trim(n int) int { return b.pool.Trim(n) }

// Clear discards all retained buffers; see [Pool.Clear].
func (b *Buffers) Clear() int { return b.pool.Clear() }

// Close clears the pool and stops retaining; see [Pool.Close].
func (b *Buffers) Close() error { return b.pool.Close() }

// Stats returns exact numbers; see [Stats].
func (b *Buffers) Stats() Stats { return b.pool.Stats() }

// ResetStats sets the counters to zero; see [Pool.ResetStats].
func (b *Buffers) ResetStats() { b.pool.ResetStats() }
