package objpool

import (
	"fmt"
	"math"
	"time"
)

const (
	// DefaultMax is the bound on retained objects where [Config] gives none.
	DefaultMax = 1024

	// maxMax keeps sums of bounds far from overflow, on 32 bits as well.
	maxMax = math.MaxInt32 / 2
)

// Config describes a [Pool]. Only New is required.
//
// The functions are called on the goroutine that uses the pool, never under a
// lock: they may use the pool themselves. A panic in one reaches the caller with
// its own stack; the books stay right and no other object is lost. Where OnDiscard
// panics for several objects of one call, the first panic does, and all objects are
// discarded.
type Config[T any] struct {
	// New makes an object when none is retained. It must not be nil.
	New func() T

	// Max bounds how many objects the pool retains, exactly and at every instant.
	// 0 means DefaultMax; negative values and values above 2^30 are errors. How
	// many objects are in use at once is not bounded.
	Max int

	// Reset is called on every object that is put back, before it is retained. It
	// may return another object in its place; false discards what it was given.
	// nil keeps objects as they are.
	Reset func(T) (T, bool)

	// Validate is called on a retained object before Get returns it; false
	// discards the object and lets Get try the next. It is not called on what New
	// made. nil accepts all.
	Validate func(T) bool

	// OnDiscard is called once for every object that the pool gives up or does not
	// take, with the reason, except for nil objects: close files and connections
	// here. It is called after the books are settled.
	OnDiscard func(T, Reason)

	// IdleTimeout discards objects that were not needed for this long: as many as the
	// pool had to spare throughout the last IdleTimeout. An object idle for twice that
	// time is gone, with two exceptions: a processor that uses the pool may keep as
	// many again as it uses at once, and what a processor keeps (16 at most) that
	// does not use the pool any more goes after the next garbage collection. 0 means
	// never; negative is an error. It costs one timer, which stops while the pool is
	// empty. A pool that was made outside a bubble of testing/synctest has no timer
	// while it is used inside one.
	IdleTimeout time.Duration

	// Size returns how many bytes an object holds; it is called once per Put. With
	// it Stats has RetainedBytes, and MaxBytes can bound them. A pool with Size
	// keeps all objects under one lock: it is exact but does not scale with cores.
	// A negative result panics.
	Size func(T) int

	// MaxBytes bounds the sum of Size over all retained objects. It needs Size;
	// 0 means no bound; negative is an error.
	MaxBytes int64

	// Name is how messages and Stats call the pool. It may be empty.
	Name string

	// Debug looks for misuse, at a price. See [Debug].
	Debug Debug

	// OnMisuse gets what Debug found. nil panics with the *Misuse.
	OnMisuse func(*Misuse)

	memory func(T) []byte // what Debug watches beside the object itself
}

func (c *Config[T]) check() error {
	switch {
	case c.New == nil:
		return fmt.Errorf("objpool: New is nil")
	case c.Max < 0:
		return fmt.Errorf("objpool: Max %d is negative", c.Max)
	case c.Max > maxMax:
		return fmt.Errorf("objpool: Max %d exceeds %d", c.Max, maxMax)
	case c.IdleTimeout < 0:
		return fmt.Errorf("objpool: IdleTimeout %v is negative", c.IdleTimeout)
	case c.MaxBytes < 0:
		return fmt.Errorf("objpool: MaxBytes %d is negative", c.MaxBytes)
	case c.MaxBytes > 0 && c.Size == nil:
		return fmt.Errorf("objpool: MaxBytes %d needs Size", c.MaxBytes)
	case c.Debug > DebugUseAfterPut:
		return fmt.Errorf("objpool: Debug %d is unknown", c.Debug)
	}
	if c.Max == 0 {
		c.Max = DefaultMax
	}
	return checkDebug[T](c.Debug)
}
