package batchchan

import (
	"context"
	"fmt"
	"time"
)

// Func processes one batch. items is valid until Func returns and must not be
// kept (see Config.DetachBatches); afterwards it is cleared and used again. An
// error or a panic makes the batch fail, see Config.Retry and Config.OnError; an
// error that is or wraps an [ItemErrors] makes those of its items fail that it
// names.
//
// ctx ends when Config.Timeout passes or when [Batcher.Shutdown] gives up.
type Func[T any] func(ctx context.Context, items []T) error

// Config configures a [Batcher], a [Queue], a [Pipe], a [Caller] or a [Keyed].
// The zero value works: natural batching in batches of at most 100.
type Config[T any] struct {
	// Name tells instances apart. It is in Stats, in a FailedError, a ShutdownError, a
	// KeyError and a PanicError, and, as the label "poundlock", on the worker
	// goroutines in profiles.
	Name string

	// MaxBatch is the largest number of items in a batch; reaching it cuts the
	// batch. Default 100. A MaxPending below it bounds batches too.
	MaxBatch int

	// MaxBytes is the largest sum of SizeOf over a batch, never exceeded: an
	// item that does not fit goes into the next batch, and one that is larger by
	// itself is refused with ErrTooLarge. 0 means no limit. Needs SizeOf.
	MaxBytes int

	// SizeOf returns an item's size in bytes. It is called once per send, by the
	// sender; a negative result counts as 0.
	SizeOf func(T) int

	// Linger is the age that the first item of a batch may reach before the
	// batch is cut. It is counted from the first item, not from the last flush
	// and not from the last item. 0 means natural batching: a batch is cut when
	// a worker is free for it, so a lone item never waits and load makes batches
	// larger. Negative means that age never cuts a batch.
	Linger time.Duration

	// PreciseLinger keeps a Linger to within tens of microseconds where timers
	// of the operating system are late by 0.1 to 1 ms: an idle worker yields in
	// a loop for at most the last 2 ms. It costs up to one core while a batch is
	// waiting. It has no effect in a Keyed.
	PreciseLinger bool

	// MaxPending bounds the items that were accepted and not yet given to the
	// processor. (Those in the processor, at most Workers*MaxBatch, are not in
	// it, nor are those that wait for their next attempt.) Default 4096, or
	// 8*MaxBatch if that is more.
	MaxPending int

	// MaxPendingBytes bounds the sum of SizeOf over the same items. 0 means no
	// limit. Needs SizeOf.
	MaxPendingBytes int

	// Overflow says what a send does when one of these bounds is reached.
	Overflow Overflow

	// MaxWaiters bounds how many sends may wait for room at a time where Overflow is
	// Block (for a Keyed those of all keys together): one more returns ErrFull. 0
	// means no bound. A SendMany is one, whatever it sends.
	MaxWaiters int

	// Workers is how many batches may be in the processor at the same time.
	// Default 1, which also makes processing first in, first out. A Queue
	// ignores it: each Recv gets a batch.
	Workers int

	// Shards above 1 lets Send collect items in that many places, so that
	// senders on many cores do not meet on one lock. Order is then lost, and a
	// shard's items count towards the size trigger only in groups of up to 64.
	// 0 and 1 mean one place, in order. Without effect where SizeOf is used.
	Shards int

	// DetachBatches lets functions keep their slices, at an allocation per batch.
	// Every slice that a function of yours is given (items, in, out, reqs,
	// results, those of OnError and of a received Batch) is valid until that
	// function returns, or the Batch is released; with DetachBatches it is yours
	// for good and is never written to again. A slice that you pass to a method
	// (SendMany, RecvMany) stays yours in either case.
	DetachBatches bool

	// Timeout bounds each call of the processor, through its ctx. 0 means no
	// limit.
	Timeout time.Duration

	// RateLimit, if not nil, is asked before each call of the processor, further
	// attempts included. The batch that waits for it has been taken already and no
	// longer fills up; the next ones do. Timeout does not include that wait.
	RateLimit Limiter

	// Retry says how failed batches are tried again.
	Retry Retry

	// OnError is called with items that failed for good: a batch, the part of it
	// that Retry.Split could not save, or one item that the processor named in an
	// ItemErrors. The worker waits for it, and so do a Flush and a Close that wait for
	// the batch. It is called in a goroutine of its own, which it may end.
	//
	// ctx is the processor's, without Timeout. OnError may send again, with this
	// ctx: a send that would have to wait for room then returns ErrFull. With
	// another ctx it would wait for room that this very worker has to make.
	OnError func(ctx context.Context, err error, items []T)

	// OnDrop is called with every item that the overflow policy drops, by the
	// sender that met the full buffer.
	OnDrop func(item T, reason DropReason)
}

// check fills in the defaults and returns an error that names the first bad
// field.
func (cfg *Config[T]) check() error {
	type limit struct {
		name string
		n    int
	}
	for _, l := range []limit{
		{"MaxBatch", cfg.MaxBatch},
		{"MaxBytes", cfg.MaxBytes},
		{"MaxPending", cfg.MaxPending},
		{"MaxPendingBytes", cfg.MaxPendingBytes},
		{"MaxWaiters", cfg.MaxWaiters},
		{"Workers", cfg.Workers},
		{"Shards", cfg.Shards},
		{"Retry.MaxAttempts", cfg.Retry.MaxAttempts},
		{"Retry.MaxCalls", cfg.Retry.MaxCalls},
		{"Retry.MaxAside", cfg.Retry.MaxAside},
	} {
		if l.n < 0 {
			return fmt.Errorf("batchchan: %s %d is negative", l.name, l.n)
		}
	}
	type duration struct {
		name string
		d    time.Duration
	}
	for _, d := range []duration{
		{"Timeout", cfg.Timeout},
		{"Retry.Backoff", cfg.Retry.Backoff},
		{"Retry.MaxBackoff", cfg.Retry.MaxBackoff},
	} {
		if d.d < 0 {
			return fmt.Errorf("batchchan: %s %v is negative", d.name, d.d)
		}
	}
	if cfg.SizeOf == nil && cfg.MaxBytes > 0 {
		return fmt.Errorf("batchchan: MaxBytes %d needs SizeOf", cfg.MaxBytes)
	}
	if cfg.SizeOf == nil && cfg.MaxPendingBytes > 0 {
		return fmt.Errorf("batchchan: MaxPendingBytes %d needs SizeOf", cfg.MaxPendingBytes)
	}
	if cfg.Overflow > CallerRuns {
		return fmt.Errorf("batchchan: Overflow %d is unknown", cfg.Overflow)
	}
	if cfg.PreciseLinger && cfg.Linger <= 0 {
		return fmt.Errorf("batchchan: PreciseLinger needs a positive Linger, not %v", cfg.Linger)
	}
	if cfg.MaxBatch == 0 {
		cfg.MaxBatch = 100
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = max(4096, min(cfg.MaxBatch, 1<<24)*8)
	}
	// A buffer that is full must be a batch that is full, or it would never be
	// cut (franz-go#726).
	cfg.MaxBatch = min(cfg.MaxBatch, cfg.MaxPending)
	if cfg.MaxBytes > 0 && cfg.MaxPendingBytes > 0 {
		cfg.MaxBytes = min(cfg.MaxBytes, cfg.MaxPendingBytes)
	}
	if cfg.MaxBytes == 0 && cfg.MaxPendingBytes == 0 {
		cfg.SizeOf = nil
	}
	cfg.Workers = max(cfg.Workers, 1)
	cfg.Retry.setDefaults()
	return nil
}
