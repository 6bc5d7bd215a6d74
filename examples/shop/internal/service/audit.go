package service

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/poundlock/poundlock/lockfree"
)

// event is a line of the audit log.
type event struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Of   string    `json:"of"`
}

// audit writes what changed to a log. Who adds a line never waits for the disk, nor
// for others who add lines.
type audit struct {
	queue lockfree.Queue[event]
	wg    sync.WaitGroup
	err   error // of the first write that failed; read after wg
}

func newAudit(w io.Writer, see *sight) *audit {
	a := new(audit)
	add(see, "audit", &a.queue)
	a.wg.Go(func() { a.err = a.write(w) })
	return a
}

func (a *audit) add(what, of string) { _ = a.queue.Enqueue(event{time.Now(), what, of}) }

// write writes all there is at once, until the queue is closed and empty. After an
// error it goes on taking lines, so that the queue does not grow for ever.
func (a *audit) write(w io.Writer) (first error) {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	events := make([]event, 256)
	for {
		n, err := a.queue.DequeueBatch(context.Background(), events)
		if errors.Is(err, lockfree.ErrClosed) {
			return first
		}
		for i := range events[:n] {
			_ = enc.Encode(&events[i]) // out keeps its error
		}
		if err := out.Flush(); first == nil {
			first = err
		}
	}
}

// close writes what is left. It returns the first error of all writes.
func (a *audit) close(context.Context) error {
	_ = a.queue.Close()
	a.wg.Wait()
	return a.err
}
