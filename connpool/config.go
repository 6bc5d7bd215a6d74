package connpool

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/poundlock/poundlock/internal/enum"
)

// Config says how a [Pool] works. Only Dial and Close are required; the zero
// value of every other field is a sensible default. Durations that depend on the
// clock are met to within one Tick, never early. A negative value, or one beyond
// its bounds, makes New return an error that names the field and the value, unless
// the field's comment gives it a meaning.
//
// The functions run outside every lock of the pool. A panic in one is contained:
// it counts as that function's failure, with a [*PanicError].
type Config[C any] struct {
	// Name appears in Stats, in errors, and as the pprof label "poundlock" of the
	// pool's goroutines.
	Name string

	// Dial opens a connection. It runs in a goroutine of its own with a ctx that
	// carries the values of the ctx of the Acquire that asked for it, but ends
	// only after DialTimeout or when the pool closes: a caller that gives up does
	// not waste the dial. Dial must return when its ctx ends. If a dial takes much
	// longer than dials mostly do, or its caller has given up, the pool no longer
	// counts on it and begins another for the next caller, as far as MaxOpen and
	// MaxDialing allow.
	Dial func(context.Context) (C, error)
	// Close closes a connection, in a goroutine of its own. The connection's slot
	// counts against MaxOpen until Close has returned.
	Close func(C) error
	// Check says whether an idle connection still works. Nil: none is checked.
	// It must return when its ctx ends, after CheckTimeout or at the pool's Close.
	// An Acquire that has waited for a Check or Reset for 100 ms gets a dial, if there
	// is room.
	Check func(context.Context, C) error
	// Reset prepares a returned connection for its next borrower; an error closes
	// it. It runs in a goroutine of its own, so that Release does not wait. Nil:
	// returned connections are lent as they are.
	Reset func(context.Context, C) error
	// Bad says whether err, returned by the function given to Do, means that the
	// connection is broken. Nil: it is for ErrBadConn, io.EOF and the like, errors
	// of net, and a ctx's end.
	Bad func(err error) bool

	// MaxOpen bounds the slots in use: connections, dials and closes under way.
	// Default: the larger of 4 and GOMAXPROCS.
	MaxOpen int
	// MinIdle is how many connections are kept idle, as far as MaxOpen allows,
	// for the next borrowers. Default: 0.
	MinIdle int
	// MinOpen is how many connections are kept open, idle or on loan. With MinIdle,
	// both are kept. Default: 0.
	MinOpen int
	// MaxIdle bounds the idle connections: one more is closed at its return.
	// Default: no bound but MaxOpen. Negative: none is kept.
	MaxIdle int
	// MaxWaiters bounds how many Acquires wait for the return of a loan: with neither a
	// dial, a check, nor a slot that is free (until a back-off ends, say) or closing
	// to wait for; one more gets ErrFull. Default: no bound. Negative: none may wait.
	MaxWaiters int
	// MaxDialing bounds the dials under way at once, those that hang included.
	// Default: MaxOpen.
	MaxDialing int
	// MaxClosing bounds the closes at once when many connections reach a limit of
	// time together; the others follow at the next ticks. Default: the larger of 4 and an
	// eighth of MaxOpen. Negative: no bound.
	MaxClosing int
	// MaxUses closes a connection after so many loans. Default: no limit.
	MaxUses uint64

	// MaxLifetime closes a connection that is older, when idle or at its return.
	// Default: no limit.
	MaxLifetime time.Duration
	// LifetimeJitter shortens each connection's lifetime by a random part of
	// itself, drawn once at its birth, so that those born together do not die
	// together. At most MaxLifetime. Default: a tenth of MaxLifetime; negative: none.
	LifetimeJitter time.Duration
	// IdleTimeout closes a connection that was idle so long, down to MinIdle and
	// MinOpen. Default: no limit.
	IdleTimeout time.Duration
	// IdleJitter shortens each connection's IdleTimeout by a random part of itself,
	// drawn once at its birth. At most IdleTimeout. Default: a tenth of IdleTimeout;
	// negative: none.
	IdleJitter time.Duration
	// CheckAfterIdle is how long a connection may have been idle to be lent
	// without a Check. Default: 1 s; negative: each loan is preceded by a Check of
	// its own, at most a Tick before it.
	//
	// A connection that was found broken (by Destroy, Bad or a Check) makes the
	// others suspect: those dialed before are checked before their next loan. So are
	// all idle ones after the process was frozen (stopped, or its machine asleep): the
	// next tick notices that it is late. An Acquire between the thaw and that tick may
	// still get an unchecked connection (none or one of ten was measured); with a
	// negative CheckAfterIdle it cannot.
	CheckAfterIdle time.Duration
	// KeepAlive checks a connection that was idle, and not checked, for so long;
	// at most a quarter of the connections at once, and none while an Acquire waits.
	// Default: never.
	KeepAlive time.Duration

	// DialTimeout ends the ctx of a Dial. Default: 30 s; negative: none.
	DialTimeout time.Duration
	// CheckTimeout ends the ctx of a Check or Reset. Default: 5 s; negative: none.
	CheckTimeout time.Duration
	// LeakAfter reports a loan that lasts so long as a suspected leak, once, in
	// Stats.Leaked and OnLeaked. It costs the borrower nothing. Default: never.
	LeakAfter time.Duration
	// LeakStacks says which loans record the borrower's stack (about 1 µs each),
	// to be seen in Info. Default: none.
	LeakStacks Sampling
	// Tick is how often limits of time are enforced and MinIdle is refilled.
	// Default: a quarter of the shortest of those limits, between 10 ms and 1 s.
	Tick time.Duration

	// RetryBroken has Do run its function again, once, when the first connection
	// turns out to be broken and was not fresh: on one that was dialed or checked
	// since. The function must be safe to run twice.
	RetryBroken bool

	// Backoff spaces dials after failures. Default: no space.
	Backoff Backoff
	// Breaker stops dials after failures in a row. Default: it never opens.
	Breaker Breaker
	// Order says which of several idle connections is lent. Default: Affinity.
	Order Order

	// The hooks below are called at events. Each may be nil. They run outside every
	// lock of the pool, several may run at once, and a panic in one is contained and
	// counted in Stats.Panics. They must not call Close or Shutdown of the same pool,
	// which wait for them.
	//
	// OnAcquired and OnReleased run in the borrower's goroutine and cost every loan
	// their own time plus about 100 ns; the others run in the background.

	// OnDialed is called with each new connection, before it is lent.
	OnDialed func(C, Info)
	// OnDialFailed is called with the error of each dial that failed.
	OnDialFailed func(error)
	// OnAcquired is called at the begin of each loan, before Acquire returns it.
	OnAcquired func(C, Info)
	// OnReleased is called for each loan that ends by Release, before it does.
	OnReleased func(C, Info)
	// OnCheckFailed is called for each Check or Reset that failed.
	OnCheckFailed func(C, Info, error)
	// OnClosed is called for each connection that was closed, with the reason in Info
	// and the error: Destroy's cause, the failed Check's, or that of Close.
	OnClosed func(C, Info, error)
	// OnLeaked is called once for each loan that lasts longer than LeakAfter.
	OnLeaked func(C, Info)
	// OnBreaker is called when the circuit breaker changes state, in that order.
	OnBreaker func(BreakerState)
}

// Order says which of several idle connections is lent first.
type Order uint8

const (
	// Affinity lends what this processor had last, which is in its caches, else
	// the first idle one of a fixed sequence, so that the surplus stays idle and
	// expires. It is the fastest.
	Affinity Order = iota
	// LIFO lends the one returned last. It looks at every connection.
	LIFO
	// FIFO lends the one returned first, which spreads the load. It looks at
	// every connection.
	FIFO
)

var orderNames = []string{"Affinity", "LIFO", "FIFO"}

// String returns the name of the order.
func (o Order) String() string { return enum.String(o, orderNames) }

// MarshalText returns the name of the order.
func (o Order) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText accepts the names of the orders, in capital or small letters.
func (o *Order) UnmarshalText(text []byte) error { return enum.Parse(o, text, orderNames) }

// Sampling says how many of the loans of each connection are recorded: none (0),
// all (1), or one in n.
type Sampling uint

const (
	// SampleNone records no loan.
	SampleNone Sampling = 0
	// SampleAll records every loan.
	SampleAll Sampling = 1
)

// withDefaults returns c with its defaults filled in, or an error that names the
// field that is wrong.
func (c Config[C]) withDefaults() (Config[C], error) {
	if c.Dial == nil {
		return c, fmt.Errorf("connpool: Dial is nil")
	}
	if c.Close == nil {
		return c, fmt.Errorf("connpool: Close is nil")
	}
	if err := c.checkNumbers(); err != nil {
		return c, err
	}
	if c.MaxOpen == 0 {
		c.MaxOpen = max(4, runtime.GOMAXPROCS(0), c.MinIdle, c.MinOpen)
	}
	if c.MinIdle > c.MaxOpen {
		return c, fmt.Errorf("connpool: MinIdle %d exceeds MaxOpen %d", c.MinIdle, c.MaxOpen)
	}
	if c.MaxIdle != 0 && c.MinIdle > max(c.MaxIdle, 0) {
		return c, fmt.Errorf("connpool: MinIdle %d exceeds MaxIdle %d", c.MinIdle, c.MaxIdle)
	}
	if c.MinOpen > c.MaxOpen {
		return c, fmt.Errorf("connpool: MinOpen %d exceeds MaxOpen %d", c.MinOpen, c.MaxOpen)
	}
	if c.MaxIdle != 0 && c.MinOpen > max(c.MaxIdle, 0) {
		return c, fmt.Errorf("connpool: MinOpen %d exceeds MaxIdle %d", c.MinOpen, c.MaxIdle)
	}
	if c.MaxClosing == 0 {
		c.MaxClosing = max(4, c.MaxOpen/8)
	}
	if c.IdleJitter == 0 {
		c.IdleJitter = c.IdleTimeout / 10
	}
	c.IdleJitter = max(c.IdleJitter, 0)
	if c.IdleJitter > c.IdleTimeout {
		return c, fmt.Errorf("connpool: IdleJitter %v exceeds IdleTimeout %v", c.IdleJitter, c.IdleTimeout)
	}
	if c.LifetimeJitter == 0 {
		c.LifetimeJitter = c.MaxLifetime / 10
	}
	c.LifetimeJitter = max(c.LifetimeJitter, 0)
	if c.LifetimeJitter > c.MaxLifetime {
		return c, fmt.Errorf("connpool: LifetimeJitter %v exceeds MaxLifetime %v", c.LifetimeJitter, c.MaxLifetime)
	}
	if c.Check != nil && c.CheckAfterIdle == 0 {
		c.CheckAfterIdle = time.Second
	}
	if c.Check == nil {
		c.CheckAfterIdle, c.KeepAlive = 0, 0
	}
	c.DialTimeout = orDefault(c.DialTimeout, 30*time.Second)
	c.CheckTimeout = orDefault(c.CheckTimeout, 5*time.Second)
	if c.Bad == nil {
		c.Bad = breaksConn
	}
	if c.Tick == 0 {
		c.Tick = c.defaultTick()
	}
	return c, nil
}

func (c *Config[C]) checkNumbers() error {
	for _, f := range []struct {
		name string
		v    int
	}{{"MaxOpen", c.MaxOpen}, {"MinIdle", c.MinIdle}, {"MinOpen", c.MinOpen}, {"MaxDialing", c.MaxDialing}} {
		if f.v < 0 || f.v > math.MaxInt32 {
			return fmt.Errorf("connpool: %s %d is out of range", f.name, f.v)
		}
	}
	for _, f := range []struct {
		name string
		v    time.Duration
	}{
		{"MaxLifetime", c.MaxLifetime},
		{"IdleTimeout", c.IdleTimeout},
		{"KeepAlive", c.KeepAlive},
		{"LeakAfter", c.LeakAfter},
		{"Tick", c.Tick},
		{"Backoff.Min", c.Backoff.Min},
		{"Backoff.Max", c.Backoff.Max},
		{"Breaker.OpenFor", c.Breaker.OpenFor},
	} {
		if f.v < 0 {
			return fmt.Errorf("connpool: %s %v is negative", f.name, f.v)
		}
	}
	if c.Order > FIFO {
		return fmt.Errorf("connpool: Order %d is unknown", c.Order)
	}
	if err := c.Backoff.validate(); err != nil {
		return err
	}
	return c.Breaker.validate()
}

// limits lists the limits of time that the janitor enforces; 0 is none.
func (c *Config[C]) limits() []time.Duration {
	return []time.Duration{
		c.MaxLifetime, c.IdleTimeout, max(c.CheckAfterIdle, 0), c.KeepAlive, c.LeakAfter,
	}
}

func (c *Config[C]) defaultTick() time.Duration {
	tick := 4 * time.Second
	for _, d := range c.limits() {
		if d > 0 {
			tick = min(tick, d)
		}
	}
	return max(tick/4, 10*time.Millisecond)
}

// needsJanitor reports whether anything is to be done from time to time.
func (c *Config[C]) needsJanitor() bool {
	for _, d := range c.limits() {
		if d > 0 {
			return true
		}
	}
	return c.fills() || c.CheckAfterIdle < 0
}

// fills reports whether connections are dialed in advance.
func (c *Config[C]) fills() bool { return c.MinIdle > 0 || c.MinOpen > 0 }

// orDefault returns d, def for zero, and 0 (no limit) for a negative d.
func orDefault(d, def time.Duration) time.Duration { return max(cmp.Or(d, def), 0) }
