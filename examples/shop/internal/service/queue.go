package service

import (
	"context"
	"errors"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// Job is work for later. It is plain data, so that a queue may keep it outside of
// the process.
type Job struct {
	Kind   string        `json:"kind"` // which of the handlers runs it
	ID     int64         `json:"id,omitempty"`
	Order  goods.Order   `json:"order,omitzero"`
	Within time.Duration `json:"within_ns"` // after so long it is of no use any more
}

// Queue runs jobs later: each at least once, unless it is late.
type Queue interface {
	// Put hands over a job; nil means that the queue has it. It waits for that 5 s at
	// most, in the process a settlement as long as it is of use, also if the client leaves:
	// what its ctx ends with does not count. A job that may be left out gets ErrQueueFull
	// instead of waiting.
	Put(ctx context.Context, j Job) error
	// Shutdown runs what was accepted, until ctx ends, or leaves it where it outlives
	// the process. Its error says what was not run.
	Shutdown(ctx context.Context) error
}

// ErrQueueFull says that a job was not accepted, and that nothing is lost by it.
var ErrQueueFull = errors.New("shop: the job queue is full")

// handlers run the jobs of a Queue by their kind.
type handlers map[string]func(context.Context, Job) error
