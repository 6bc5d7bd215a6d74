package locks

// RWOptions tunes and instruments an [RWMutex]. The zero value is the default.
type RWOptions struct {
	// Name labels the lock in its Stats and in [WriteContention].
	Name string

	// HoldSampling times how long every n'th writer holds the lock; 0 or less
	// times none. Every write then takes some nanoseconds more, a timed one two
	// readings of the clock.
	HoldSampling int

	// SiteSampling records the call stack of every n'th waiter that sleeps, for
	// [WriteContention]; 0 or less records none.
	SiteSampling int

	// MaxStripes bounds the stripes of a lock with reader bias, 128 bytes each; 0
	// or less means 64. The default is twice GOMAXPROCS, and 8 at least. It is
	// rounded down to a power of two and counts only before bias is first enabled.
	MaxStripes int

	// NoBias keeps readers in the shared word, for locks that must stay small or
	// whose writers must not look at stripes.
	NoBias bool
}

// SetOptions replaces the options of rw. It takes the write lock, and counts as
// a write; call it before rw is used, or at any time but while holding rw.
func (rw *RWMutex) SetOptions(o RWOptions) {
	rw.Lock()
	raceDisable()
	rw.setOptions(&o)
	raceEnable()
	rw.Unlock()
}

//go:norace
func (rw *RWMutex) setOptions(o *RWOptions) {
	x := rw.extend()
	x.opts.Store(o)
	x.tick = 0
	if o.HoldSampling > 0 {
		rw.or(watched)
	} else {
		rw.and(^watched)
	}
	if !o.NoBias {
		rw.and(^unbiasable)
		return
	}
	rw.or(unbiasable)
	if rw.load()&biased != 0 {
		rw.unbias(x) // Lock has settled
	}
}
