package objpool

import (
	"cmp"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/nocopy"
	"github.com/poundlock/poundlock/internal/stats"
)

// BytesConfig describes [Bytes]. The zero value works.
type BytesConfig struct {
	// MinSize is the capacity of the smallest class in bytes, rounded up to a power
	// of two. 0 means 64; negative is an error.
	MinSize int

	// MaxSize is the largest capacity that is retained, rounded up to a power of
	// two. Longer slices are made to measure by Get and not kept by Put. 0 means
	// 1 MiB; less than MinSize, or above 1 GiB, is an error.
	MaxSize int

	// MaxBytes bounds the memory that is retained, in bytes of capacity. It is
	// divided among the classes, each of which gets room for one slice at least:
	// so less than 4 * MaxSize is an error. 0 means 64 MiB, or 4 * MaxSize if that
	// is more.
	MaxBytes int64

	// DefaultSize is the capacity that Get(0) starts with, in bytes. From the first
	// Get(0) on it adapts to the lengths that come back, up to MaxSize. 0 means 1 KiB;
	// negative is an error. FixedDefault keeps it as it is.
	DefaultSize  int
	FixedDefault bool

	// IdleTimeout, Name, Debug and OnMisuse are as in [Config].
	IdleTimeout time.Duration
	Name        string
	Debug       Debug
	OnMisuse    func(*Misuse)
}

const (
	maxPerClass   = 4096
	maxBytesClass = 1 << 30
)

// Bytes is a pool of byte slices in size classes, the powers of two from MinSize to
// MaxSize. All methods are safe for concurrent use.
//
// A slice is filed under the largest class that its capacity covers, so what comes
// out of a class is never too small. Slices that grew by append are as welcome as
// those that Get made.
type Bytes struct {
	_ nocopy.NoCopy

	classes []*Pool[[]byte]
	minBits int
	maxSize int
	name    string

	resizing sync.Mutex // the classes' shares are those of one Resize

	large     atomic.Uint64 // Gets beyond MaxSize since ResetStats
	largeEver atomic.Uint64 // the same since New

	adaptive bool
	voting   atomic.Bool  // adaptive, and there was a Get(0)
	def      atomic.Int64 // capacity for Get(0)
	votes    atomic.Int64 // for a larger default, if positive
}

// NewBytes returns an empty pool, or an error that names the field that is wrong.
func NewBytes(cfg BytesConfig) (*Bytes, error) {
	switch {
	case cfg.MinSize < 0:
		return nil, fmt.Errorf("objpool: MinSize %d is negative", cfg.MinSize)
	case cfg.MaxSize < 0:
		return nil, fmt.Errorf("objpool: MaxSize %d is negative", cfg.MaxSize)
	case cfg.MaxBytes < 0:
		return nil, fmt.Errorf("objpool: MaxBytes %d is negative", cfg.MaxBytes)
	case cfg.DefaultSize < 0:
		return nil, fmt.Errorf("objpool: DefaultSize %d is negative", cfg.DefaultSize)
	case cfg.MinSize > maxBytesClass:
		return nil, fmt.Errorf("objpool: MinSize %d exceeds %d", cfg.MinSize, maxBytesClass)
	case cfg.MaxSize > maxBytesClass:
		return nil, fmt.Errorf("objpool: MaxSize %d exceeds %d", cfg.MaxSize, maxBytesClass)
	}
	minBits := ceilLog2(cmp.Or(cfg.MinSize, 64))
	maxBits := ceilLog2(cmp.Or(cfg.MaxSize, 1<<20))
	if minBits > maxBits {
		return nil, fmt.Errorf("objpool: MinSize %d exceeds MaxSize %d", 1<<minBits, 1<<maxBits)
	}
	least := int64(4) << maxBits
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = max(64<<20, least)
	}
	if cfg.MaxBytes < least {
		return nil, fmt.Errorf("objpool: MaxBytes %d is below 4 * MaxSize, %d", cfg.MaxBytes, least)
	}
	b := &Bytes{
		classes:  make([]*Pool[[]byte], maxBits-minBits+1),
		minBits:  minBits,
		maxSize:  1 << maxBits,
		name:     cfg.Name,
		adaptive: !cfg.FixedDefault,
	}
	b.def.Store(int64(min(cmp.Or(cfg.DefaultSize, 1<<10), b.maxSize)))
	for i, n := range b.shares(cfg.MaxBytes) {
		size := 1 << (minBits + i)
		p, err := New(Config[[]byte]{
			New:         func() []byte { return make([]byte, size) },
			Max:         n,
			IdleTimeout: cfg.IdleTimeout,
			Name:        cfg.Name,
			Debug:       cfg.Debug,
			OnMisuse:    cfg.OnMisuse,
		})
		if err != nil {
			return nil, err
		}
		b.classes[i] = p
	}
	return b, nil
}

// shares returns how many slices of each class fit into maxBytes. From the largest class
// down, each takes its share of what is left. A slice in a class is shorter than twice
// the class's size, but for the last.
func (b *Bytes) shares(maxBytes int64) []int {
	all := make([]int, len(b.classes))
	left := maxBytes
	for i := len(all) - 1; i >= 0; i-- {
		worst := b.worst(i)
		n := min(max(left/int64(i+1)/worst, 1), maxPerClass)
		left -= n * worst
		all[i] = int(n)
	}
	return all
}

// worst returns the most bytes that a slice of a class has.
func (b *Bytes) worst(class int) int64 {
	return int64(min(2<<(b.minBits+class)-1, b.maxSize))
}

// Get returns a slice of length n with at least that capacity. Its content is
// arbitrary: what an earlier user left. Get(0) returns an empty slice of the default
// capacity, for append. A negative n panics.
func (b *Bytes) Get(n int) []byte {
	if n <= 0 {
		if n < 0 {
			panic(fmt.Sprintf("objpool: Bytes.Get(%d)", n))
		}
		if b.adaptive && !b.voting.Load() {
			b.voting.Store(true)
		}
		return b.get(int(b.def.Load()))[:0]
	}
	return b.get(n)[:n]
}

func (b *Bytes) get(n int) []byte {
	if n > b.maxSize {
		b.large.Add(1)
		b.largeEver.Add(1)
		return make([]byte, n)
	}
	return b.classes[max(ceilLog2(n)-b.minBits, 0)].Get()
}

// Put gives a slice back and reports whether it was kept. It is not if it is nil,
// its capacity is below MinSize or above MaxSize, its class is full, or the pool is
// closed. The caller must not use any part of the slice's array afterwards.
func (b *Bytes) Put(s []byte) bool {
	n := cap(s)
	if b.voting.Load() {
		b.vote(len(s))
	}
	switch i := bits.Len(uint(n)) - 1 - b.minBits; {
	case i < 0:
		r := ReasonRejected
		if s == nil {
			r = ReasonNil
		}
		b.classes[0].count(r)
		return false
	case n > b.maxSize:
		b.classes[len(b.classes)-1].count(ReasonTooLarge)
		return false
	default:
		return b.classes[i].Put(s[:n])
	}
}

// DefaultSize returns the capacity that Get(0) gives now, at least.
func (b *Bytes) DefaultSize() int { return int(b.def.Load()) }

// A slice that came back longer than the default counts upVote for a larger one;
// those that used at most half of it count one, together, for a smaller one. So the
// default covers about upVote/(upVote+1), 94 %, of the slices. While it does, long
// votes are rare, and of the short ones only a sample is counted: no Put pays for
// the shared word in the long run. The sample costs a random number, 4 ns, so there is
// no vote before somebody asks for the default.
const (
	upVote    = 16
	voteLimit = 512
	voteEvery = 32
)

func (b *Bytes) vote(n int) {
	d := int(b.def.Load())
	step := int64(0)
	switch {
	case n > d:
		step = upVote
	case n <= d/2 && n > 0 && rand.Uint32()%voteEvery == 0:
		step = -voteEvery
	default:
		return
	}
	switch v := b.votes.Add(step); {
	case v > voteLimit:
		b.votes.Store(0)
		b.def.CompareAndSwap(int64(d), int64(min(2*d, b.maxSize)))
	case v < -voteLimit:
		b.votes.Store(0)
		b.def.CompareAndSwap(int64(d), int64(max(d/2, 1<<b.minBits)))
	}
}

// Prewarm makes up to n slices of the class that serves Get(size), as far as there
// is room, and returns how many it added.
func (b *Bytes) Prewarm(size, n int) int {
	if size <= 0 || size > b.maxSize {
		return 0
	}
	return b.classes[max(ceilLog2(size)-b.minBits, 0)].Prewarm(n)
}

// Resize sets the bound on retained memory, in bytes, and divides it among the classes
// anew. Where more is retained, the oldest slices are discarded. Less than 4 * MaxSize
// is an error, and so is a closed pool ([ErrClosed]); nothing changes then. Each class
// may stop the world once; see [Pool.Resize].
func (b *Bytes) Resize(maxBytes int64) error {
	if least := 4 * int64(b.maxSize); maxBytes < least {
		return fmt.Errorf("objpool: MaxBytes %d is below 4 * MaxSize, %d", maxBytes, least)
	}
	b.resizing.Lock()
	defer b.resizing.Unlock()
	for i, n := range b.shares(maxBytes) {
		if err := b.classes[i].Resize(n); err != nil {
			return err
		}
	}
	return nil
}

// Trim discards up to n retained slices, those of the largest class first and of each
// the oldest, and returns how many. It discards none for n of 0 or less. Each class may
// stop the world once; see [Pool.Trim].
func (b *Bytes) Trim(n int) int {
	trimmed := 0
	for _, p := range slices.Backward(b.classes) {
		trimmed += p.Trim(n - trimmed)
	}
	return trimmed
}

// Clear discards all retained slices and returns how many. Each class may stop the
// world once; see [Pool.Clear].
func (b *Bytes) Clear() int {
	n := 0
	for _, p := range b.classes {
		n += p.Clear()
	}
	return n
}

// Close clears the pool and stops retaining; Get goes on to make slices. It returns
// nil. Each class may stop the world once; see [Pool.Close].
func (b *Bytes) Close() error {
	for _, p := range b.classes {
		if err := p.Close(); err != nil {
			return err
		}
	}
	return nil
}

// Stats returns the sum over all classes. Each class is exact; they are read one
// after the other. RetainedBytes counts each slice as the size of its class, and
// MaxBytes each place as the most that may be in it.
func (b *Bytes) Stats() Stats {
	var sum Stats
	for i := range b.classes {
		s := b.class(i)
		sum.add(&s)
		sum.LastReset = s.LastReset
	}
	n := b.large.Load()
	sum.Gets += n
	sum.Misses += n
	// Slices that grew come back to other classes than they came from.
	sum.Outstanding = max(sum.Outstanding+int(b.largeEver.Load()), 0)
	sum.HitRate = stats.Ratio(sum.Hits, sum.Gets)
	sum.Name = b.name
	return sum
}

// ResetStats sets the counters to zero and LastReset to now, one class after the other.
// What is retained counts as Carried.
func (b *Bytes) ResetStats() {
	for _, p := range b.classes {
		p.ResetStats()
	}
	b.large.Store(0)
}

// class returns the Stats of a class, of which Outstanding may be negative.
func (b *Bytes) class(i int) Stats {
	p := b.classes[i]
	s := p.balance()
	s.RetainedBytes = s.Retained << (b.minBits + i)
	s.MaxBytes = toInt(int64(s.Max) * b.worst(i))
	return s
}

// ClassStats is the Stats of one size class.
type ClassStats struct {
	Size  int   `json:"size"`  // capacity of a slice of the class, at least
	Stats Stats `json:"stats"` // of the slices of that size
}

// Classes returns the Stats of each class, the smallest first. A slice that grew comes
// back to another class than it came from, so the Outstanding of one class says little.
func (b *Bytes) Classes() []ClassStats {
	all := make([]ClassStats, len(b.classes))
	for i := range all {
		s := b.class(i)
		s.Outstanding = max(s.Outstanding, 0)
		all[i] = ClassStats{Size: 1 << (b.minBits + i), Stats: s}
	}
	return all
}

// ceilLog2 returns the least k with 1<<k >= n; n is positive.
func ceilLog2(n int) int { return bits.Len(uint(n - 1)) }
