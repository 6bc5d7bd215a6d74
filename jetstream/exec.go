package jetstream

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/workerpool"
)

func (w *Worker) newExecutor() (executor, error) {
	if w.cfg.HandleBatch != nil {
		return newBatches(w)
	}
	e := &singles{w: w}
	var err error
	e.pool, err = workerpool.NewFunc(workerpool.Config{Name: w.cfg.Name, MaxWorkers: w.cfg.Workers, QueueSize: w.cfg.held()}, e.run)
	if err != nil {
		return nil, fmt.Errorf("jetstream: %w", err)
	}
	return e, nil
}

// singles runs messages one by one on a workerpool.
type singles struct {
	w       *Worker
	pool    *workerpool.FuncPool[*held]
	strands strands
	begun   atomic.Uint64
}

func (e *singles) submit(h *held) {
	if e.strands.enter(h) {
		_ = e.pool.Invoke(h) // there is room, and it is closed after the last
	}
}

func (e *singles) wait(ctx context.Context) error {
	err := e.pool.Wait(ctx)
	if errors.Is(err, workerpool.ErrInside) {
		return ErrInside
	}
	return err
}

func (e *singles) close()        { _ = e.pool.Close() }
func (e *singles) calls() uint64 { return e.begun.Load() }

// run runs h. The next of its key that came meanwhile goes behind those that wait for a
// worker: else a key of which there is always one would keep the others from it.
func (e *singles) run(h *held) {
	defer func() { // also if the handler has ended the goroutine
		next := e.strands.next(h)
		if next != nil && e.pool.TryInvoke(next) != nil {
			e.run(next) // the pool is closed and next handed back, or lost messages take up its room
		}
	}()
	e.one(h)
}

func (e *singles) one(h *held) {
	// Not made of w.ctx, whose list of children all workers would lock at each
	// message: Shutdown cancels what the ledger says is running.
	ctx, cancel := e.w.handlerContext(context.Background())
	defer cancel(nil)
	if !e.w.ledger.start(h, cancel, time.Now()) {
		return
	}
	if err := e.w.worn(h); err != nil {
		e.w.fail(ctx, h, err)
		return
	}
	err := ErrGoexit
	defer func() { e.w.conclude(ctx, h, err) }()
	e.begun.Add(1)
	err = e.w.returned(e.call(ctx, h), h.d.Subject)
}

// call calls the handler and makes its panic an error.
func (e *singles) call(ctx context.Context, h *held) (err error) {
	err = errNotReturned
	defer e.w.recovered(&err, h.d.Subject)
	if f := e.w.cfg.Extract; f != nil {
		ctx = f(ctx, h.d.Header)
	}
	return e.w.cfg.Handle(ctx, h.d)
}

// recovered is deferred around a handler: it makes err of a panic.
func (w *Worker) recovered(err *error, label string) {
	if r := recover(); r != nil {
		*err = w.panicked(r, label)
	}
}

func (w *Worker) panicked(with any, label string) error {
	w.panics.Add(1)
	return &PanicError{Package: "jetstream", Name: w.cfg.Name, Func: "Handle", Label: label, Value: with, Stack: debug.Stack()}
}

// errNotReturned is the error of a call until the handler has returned.
var errNotReturned = errors.New("jetstream: handler has not returned")

// returned is what the call of a handler said, which has not ended its goroutine. With
// GODEBUG=panicnil=1 recover does not tell of a panic(nil).
func (w *Worker) returned(err error, label string) error {
	if err == errNotReturned { //nolint:errorlint // call's own
		return w.panicked(new(runtime.PanicNilError), label)
	}
	return err
}

// strands lets one message of a key run at a time, in the order of arrival. The
// zero value is ready to use.
type strands struct {
	mu     sync.Mutex
	behind map[string][]*held // guarded by mu; a key that runs has an entry
}

// enter reports whether h may run now; if not, next returns it when its turn comes.
func (s *strands) enter(h *held) bool {
	if h.key == "" {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.behind == nil {
		s.behind = map[string][]*held{}
	}
	list, busy := s.behind[h.key]
	if busy {
		list = append(list, h)
	}
	s.behind[h.key] = list
	return !busy
}

// next says that h has run, and returns the next of its key, if there is one.
func (s *strands) next(h *held) *held {
	if h.key == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.behind[h.key]
	if len(list) == 0 {
		delete(s.behind, h.key)
		return nil
	}
	s.behind[h.key] = list[1:]
	return list[0]
}
