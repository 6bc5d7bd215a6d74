package batchchan

import "github.com/poundlock/poundlock/internal/enum"

// Overflow says what a send does when MaxPending or MaxPendingBytes is reached.
type Overflow uint8

const (
	// Block waits for room: first come, first served. It is the default.
	Block Overflow = iota
	// Reject returns [ErrFull].
	Reject
	// DropNewest drops the item being sent. The send returns nil; the item goes
	// to OnDrop.
	DropNewest
	// DropOldest drops what has waited longest, to make room.
	DropOldest
	// CallerRuns makes the sender process the oldest waiting batch itself, in
	// addition to the Workers, and then tries again. It looks at its ctx, and at
	// the time of a SendTimeout, between two batches. Try operations never do so,
	// nor does a send with the processor's own ctx: they return ErrFull. In a
	// [Pipe], whose results may have to wait for room, one goroutine at a time
	// does it for the senders, which wait for it and can leave at any time.
	CallerRuns
)

var overflowNames = []string{"Block", "Reject", "DropNewest", "DropOldest", "CallerRuns"}

// String returns the name of the policy.
func (o Overflow) String() string { return enum.String(o, overflowNames) }

// MarshalText returns the name of the policy.
func (o Overflow) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText accepts the names of the policies, in capital or small letters.
func (o *Overflow) UnmarshalText(text []byte) error { return enum.Parse(o, text, overflowNames) }

// DropReason says why an item was dropped.
type DropReason uint8

const (
	// DroppedNewest marks an item that found no room under [DropNewest].
	DroppedNewest DropReason = iota
	// DroppedOldest marks an item that made room for a newer one under
	// [DropOldest].
	DroppedOldest
)

var dropReasonNames = []string{"DroppedNewest", "DroppedOldest"}

// String returns the name of the reason.
func (r DropReason) String() string { return enum.String(r, dropReasonNames) }

// MarshalText returns the name of the reason.
func (r DropReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts the names of the reasons, in capital or small letters.
func (r *DropReason) UnmarshalText(text []byte) error { return enum.Parse(r, text, dropReasonNames) }

// Reason says which trigger cut a batch.
type Reason uint8

const (
	// BySize marks a batch that reached MaxBatch.
	BySize Reason = iota
	// ByLinger marks a batch whose first item reached the age Linger.
	ByLinger
	// ByBytes marks a batch that the next item would have made exceed MaxBytes,
	// or that was cut because MaxPendingBytes left no room for another item.
	ByBytes
	// ByManual marks a batch that Flush asked for.
	ByManual
	// ByIdle marks a batch that was cut because a worker was free (Linger 0).
	ByIdle
	// ByClose marks what was left at Close or Shutdown.
	ByClose

	numReasons = 6
)

var reasonNames = []string{"BySize", "ByLinger", "ByBytes", "ByManual", "ByIdle", "ByClose"}

// String returns the name of the trigger.
func (r Reason) String() string { return enum.String(r, reasonNames) }

// MarshalText returns the name of the trigger.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText accepts the names of the triggers, in capital or small letters.
func (r *Reason) UnmarshalText(text []byte) error { return enum.Parse(r, text, reasonNames) }
