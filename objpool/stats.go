package objpool

import (
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/poundlock/poundlock/internal/describe"
	"github.com/poundlock/poundlock/internal/stats"
)

// Stats is what a pool did since it was made, or since ResetStats. All numbers of
// one snapshot belong to the same instant, so the books balance in every snapshot,
// whatever runs beside it:
//
//	Gets = Hits + Misses
//	Puts = Accepted + the Discards of Put (Full .. Misused)
//	Carried + Accepted + Prewarmed = Hits + Validating + the Discards of retained
//	                                 objects (Invalid .. Resized) + Retained
//	0 <= Retained <= Max
//
// [Stats.Check] verifies them. A call is counted at the moment it takes effect; one
// that is waiting, or is in a user function, is not in yet.
type Stats struct {
	Name string `json:"name,omitempty"` // Config.Name

	Gets   uint64 `json:"gets"`   // calls of Get, TryGet and Do that got an answer
	Hits   uint64 `json:"hits"`   // Gets that returned a retained object
	Misses uint64 `json:"misses"` // Gets that found none: New was called, or TryGet failed

	Puts     uint64   `json:"puts"`     // calls of Put, and of Put by Do
	Accepted uint64   `json:"accepted"` // Puts that kept their object
	Discards Discards `json:"discards"` // objects given up or not taken, by reason

	Prewarmed uint64 `json:"prewarmed"` // objects that Prewarm made
	Carried   uint64 `json:"carried"`   // objects retained when ResetStats was called

	Retained      int `json:"retained"`       // objects in the pool now
	RetainedBytes int `json:"retained_bytes"` // sum of Size over them; 0 without Size
	Validating    int `json:"validating"`     // taken out and being looked at by Validate now
	Outstanding   int `json:"outstanding"`    // objects handed out and not yet put back, dropped ones included
	Max           int `json:"max"`            // bound on Retained
	MaxBytes      int `json:"max_bytes"`      // bound on RetainedBytes; 0 if there is none

	// HighWater is the highest Retained seen, by a snapshot or when an object came
	// to the central stack. What Ps keep to themselves in between (16 each at most)
	// may have been more for a moment.
	HighWater int `json:"high_water"`

	HitRate float64 `json:"hit_rate"` // Hits / Gets, 0 without Gets

	Gathers uint64 `json:"gathers"` // times that Clear, Resize, Trim or Close took back what Ps kept: each stops the world once
	Recalls uint64 `json:"recalls"` // times that Ps were asked to give back what they kept, which stops nobody
	Panics  uint64 `json:"panics"`  // panics of OnDiscard contained on the timer of IdleTimeout

	LastReset time.Time `json:"last_reset"` // when New or ResetStats was called
}

// Discards counts objects by the [Reason] that OnDiscard gets.
type Discards struct {
	// At Put:

	Full     uint64 `json:"full"`      // the pool retained its Max, or had no bytes left
	Rejected uint64 `json:"rejected"`  // Reset returned false
	TooLarge uint64 `json:"too_large"` // the object alone exceeds MaxBytes, or a buffer its limit
	Closed   uint64 `json:"closed"`    // the pool was closed
	Nil      uint64 `json:"nil"`       // the object was nil
	Panicked uint64 `json:"panicked"`  // Reset, Size or the function of Do panicked
	Misused  uint64 `json:"misused"`   // Debug found that the object was in the pool already

	// Of retained objects:

	Invalid uint64 `json:"invalid"` // Validate returned false or panicked, or Debug found a write after Put
	Cleared uint64 `json:"cleared"` // Clear or Close
	Trimmed uint64 `json:"trimmed"` // Trim, or an object of Prewarm: Resize or Close overtook it, or Size panicked
	Expired uint64 `json:"expired"` // IdleTimeout passed without a need for it
	Resized uint64 `json:"resized"` // Resize made the bound smaller
}

// AtPut returns how many Puts did not keep their object.
func (d *Discards) AtPut() uint64 {
	return d.Full + d.Rejected + d.TooLarge + d.Closed + d.Nil + d.Panicked + d.Misused
}

// OfRetained returns how many retained objects were given up.
func (d *Discards) OfRetained() uint64 {
	return d.Invalid + d.Cleared + d.Trimmed + d.Expired + d.Resized
}

// Total returns the sum of all.
func (d *Discards) Total() uint64 { return d.AtPut() + d.OfRetained() }

// Check returns nil if the books balance, and an error that shows what does not. A
// snapshot of a pool that does not pass is a bug of this package.
func (s *Stats) Check() error {
	in := s.Carried + s.Accepted + s.Prewarmed
	out := s.Hits + uint64(s.Validating) + s.Discards.OfRetained() + uint64(s.Retained)
	switch {
	case s.Gets != s.Hits+s.Misses:
		return fmt.Errorf("objpool: %d Gets, but %d Hits + %d Misses", s.Gets, s.Hits, s.Misses)
	case s.Puts != s.Accepted+s.Discards.AtPut():
		return fmt.Errorf("objpool: %d Puts, but %d Accepted + %d discarded", s.Puts, s.Accepted, s.Discards.AtPut())
	case in != out:
		return fmt.Errorf("objpool: %d objects came in, %d went out or are retained: %+v", in, out, *s)
	case s.Retained < 0 || s.Retained > s.Max || s.Validating < 0:
		return fmt.Errorf("objpool: Retained %d of Max %d, Validating %d", s.Retained, s.Max, s.Validating)
	case s.MaxBytes > 0 && s.RetainedBytes > s.MaxBytes || s.RetainedBytes < 0:
		return fmt.Errorf("objpool: RetainedBytes %d of MaxBytes %d", s.RetainedBytes, s.MaxBytes)
	}
	return nil
}

// String returns the figures that matter in one line: "parsers: 12.3k gets, 99.4% hits,
// 40 of 1000 retained (at most 64), 3 out, 12 discarded".
func (s Stats) String() string {
	var b strings.Builder
	if s.Name != "" {
		b.WriteString(s.Name + ": ")
	}
	fmt.Fprintf(&b, "%s gets, %s hits, %d of %d retained (at most %d)",
		describe.Count(s.Gets), describe.Percent(s.HitRate), s.Retained, s.Max, s.HighWater)
	if s.MaxBytes > 0 || s.RetainedBytes > 0 {
		fmt.Fprintf(&b, ", %s of %s bytes", describe.Count(uint64(s.RetainedBytes)), describe.Count(uint64(s.MaxBytes)))
	}
	fmt.Fprintf(&b, ", %d out, %s discarded", s.Outstanding, describe.Count(s.Discards.Total()))
	return b.String()
}

// LogValue returns the statistics as a group for package log/slog, without those that
// are zero.
func (s Stats) LogValue() slog.Value { return describe.LogValue(s) }

// toInt returns n, or the largest int where that is less.
func toInt(n int64) int { return int(min(n, math.MaxInt)) }

// books are the counters that are not in magazines, guarded by Pool.mu.
type books struct {
	misses         uint64
	softMisses     uint64 // misses of TryGet
	notMade        uint64 // misses whose New did not return
	passed, failed uint64 // answers of Validate not counted in a magazine
	prewarmed      uint64
	discards       [numReasons]uint64
	panics         uint64

	lastReset time.Time
	base      Stats // at the last ResetStats
}

// Stats returns a snapshot. It is exact at every moment and stops nobody: it holds
// the pool's lock for as long as it takes to read a word per P.
//
// Why the words of several Ps make one consistent cut, though they are read one
// after the other:
//
//	lock held:    take all out of reach   read P0   read P1
//	P0   ----a---------|---------b----------r---------------->
//	P1   ------c-------|------------------------d------r----->
//	P1 later                               e comes to the lock and waits
//
// A fast path that starts after "take out" finds no magazine and comes to the lock
// (e). One that had found its magazine before may still take effect, before its word
// is read (b: it is in the snapshot) or after (a d behind r would be out). What is
// out cannot have happened before something that is in: a goroutine that knows of it,
// because it got an object from the one that did it, starts after all magazines were
// taken out, and so waits for the lock. This is the distributed snapshot of Chandy and
// Lamport (TOCS 1985), with markers that are ahead of every message.
func (p *Pool[T]) Stats() Stats {
	s := p.balance()
	s.Outstanding = max(s.Outstanding, 0)
	return s
}

// balance is Stats, but with a negative Outstanding if more came back than went out.
func (p *Pool[T]) balance() Stats {
	p.mu.Lock()
	s := p.snapshot()
	p.central.high = s.HighWater
	base := p.books.base
	p.mu.Unlock()
	return s.since(&base)
}

// ResetStats sets the counters to zero and LastReset to now. What is retained counts
// as Carried; HighWater starts from there.
func (p *Pool[T]) ResetStats() {
	p.mu.Lock()
	s := p.snapshot()
	s.Carried = uint64(s.Retained + s.Validating)
	p.books.base = s
	p.central.high = s.Retained
	p.central.peak = len(p.central.items) // noteHigh looks at high above it
	p.books.lastReset = time.Now()
	p.mu.Unlock()
}

// snapshot returns the numbers since New. The caller holds mu.
func (p *Pool[T]) snapshot() Stats {
	b, c := &p.books, &p.central
	pops, passed, failed := c.pops, b.passed, b.failed
	accepted := c.accepts + c.flow
	retained := 0
	p.mags.look()
	for _, m := range p.mags.all() {
		// An answer of Validate comes after its pop: read in the other order, there
		// is never an answer without one.
		passed += m.passed.Load()
		failed += m.failed.Load()
		s := m.load()
		n := s & lenMask
		retained += int(n)
		pops += s >> lenBits
		accepted += s>>lenBits + n
	}
	p.mags.thaw()
	if !p.onGet {
		passed = pops
	}
	d := &b.discards
	s := Stats{
		Name:     p.cfg.Name,
		Gets:     passed + b.misses,
		Hits:     passed,
		Misses:   b.misses,
		Accepted: accepted,
		Discards: Discards{
			Full: d[ReasonFull], Rejected: d[ReasonRejected], TooLarge: d[ReasonTooLarge],
			Closed: d[ReasonClosed], Nil: d[ReasonNil], Panicked: d[ReasonPanicked],
			Misused: d[ReasonMisused], Invalid: failed, Cleared: d[ReasonCleared],
			Trimmed: d[ReasonTrimmed], Expired: d[ReasonExpired], Resized: d[ReasonResized],
		},
		Prewarmed:     b.prewarmed,
		Retained:      retained + len(c.items),
		RetainedBytes: toInt(c.bytes),
		Validating:    int(pops - passed - failed),
		Max:           c.max,
		MaxBytes:      toInt(p.cfg.MaxBytes),
		Gathers:       p.gathers,
		Recalls:       p.recalls,
		Panics:        b.panics,
	}
	s.Puts = s.Accepted + s.Discards.AtPut()
	out := int(s.Gets - b.softMisses - b.notMade)
	back := int(s.Puts - s.Discards.Nil - s.Discards.Misused)
	s.Outstanding = out - back // the callers clamp it
	s.HighWater = max(c.high, s.Retained)
	s.LastReset = b.lastReset
	return s
}

// since takes the counters of an earlier snapshot out of s.
func (s Stats) since(base *Stats) Stats {
	s.Gets -= base.Gets
	s.Hits -= base.Hits
	s.Misses -= base.Misses
	s.Puts -= base.Puts
	s.Accepted -= base.Accepted
	s.Prewarmed -= base.Prewarmed
	s.Gathers -= base.Gathers
	s.Recalls -= base.Recalls
	s.Panics -= base.Panics
	s.Carried = base.Carried
	d, e := &s.Discards, &base.Discards
	d.Full -= e.Full
	d.Rejected -= e.Rejected
	d.TooLarge -= e.TooLarge
	d.Closed -= e.Closed
	d.Nil -= e.Nil
	d.Panicked -= e.Panicked
	d.Misused -= e.Misused
	d.Invalid -= e.Invalid
	d.Cleared -= e.Cleared
	d.Trimmed -= e.Trimmed
	d.Expired -= e.Expired
	d.Resized -= e.Resized
	s.HitRate = stats.Ratio(s.Hits, s.Gets)
	return s
}

// add adds the numbers of o, for types that are made of several pools.
func (s *Stats) add(o *Stats) {
	s.Gets += o.Gets
	s.Hits += o.Hits
	s.Misses += o.Misses
	s.Puts += o.Puts
	s.Accepted += o.Accepted
	s.Prewarmed += o.Prewarmed
	s.Carried += o.Carried
	s.Retained += o.Retained
	s.RetainedBytes += o.RetainedBytes
	s.Validating += o.Validating
	s.Outstanding += o.Outstanding
	s.Max += o.Max
	s.MaxBytes += o.MaxBytes
	s.HighWater += o.HighWater
	s.Gathers += o.Gathers
	s.Recalls += o.Recalls
	s.Panics += o.Panics
	d, e := &s.Discards, &o.Discards
	d.Full += e.Full
	d.Rejected += e.Rejected
	d.TooLarge += e.TooLarge
	d.Closed += e.Closed
	d.Nil += e.Nil
	d.Panicked += e.Panicked
	d.Misused += e.Misused
	d.Invalid += e.Invalid
	d.Cleared += e.Cleared
	d.Trimmed += e.Trimmed
	d.Expired += e.Expired
	d.Resized += e.Resized
	s.HitRate = stats.Ratio(s.Hits, s.Gets)
}
