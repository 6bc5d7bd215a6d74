package workerpool

import "github.com/poundlock/poundlock/internal/enum"

// Overflow says what a submission does when the queue is full and no worker is
// idle (or, with [NoQueue], when every worker is busy). A worker that has just come for
// a task counts as idle: a submission that finds one waits, a millisecond at most
// (ten where other processes have the cores), for it to take a task off the queue.
type Overflow int

const (
	// Block waits for room. This is the default.
	Block Overflow = iota
	// Reject returns ErrFull.
	Reject
	// DropNewest accepts the task and drops it at once: Submit returns nil, and
	// OnDrop has the task.
	DropNewest
	// DropOldest makes room by dropping the task that has waited longest in the
	// same queue. OnDrop has it; if a Future or a Do waits for it, that ends with
	// ErrDropped.
	DropOldest
	// CallerRuns runs the task in the submitting goroutine before Submit returns.
	// It may run beside MaxWorkers others.
	CallerRuns
)

var overflowNames = []string{"Block", "Reject", "DropNewest", "DropOldest", "CallerRuns"}

// String returns the name of the constant.
func (o Overflow) String() string { return enum.String(o, overflowNames) }

// MarshalText writes the name of the constant.
func (o Overflow) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText accepts the names of the constants, in capital or small letters.
func (o *Overflow) UnmarshalText(text []byte) error { return enum.Parse(o, text, overflowNames) }
