package observe

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

const defaultTimeout = 100 * time.Millisecond

// All reads the sources one after the other, sorted by kind and name, and yields
// each. A source that panics, or takes longer than Timeout, is yielded with Err set;
// the others are not affected. The registry's own statistics come last.
//
// A Reading and all that it points to are valid until the next iteration. When ctx
// ends, so does the iteration, without an error: sources that were not yet read are
// left out. A nil ctx panics. No lock is held while a source is asked or the loop's
// body runs.
func (r *Registry) All(ctx context.Context) iter.Seq[*Reading] {
	ctxerr.NotNil(ctx, "observe")
	return func(yield func(*Reading) bool) {
		r.reads.Add(1)
		s := r.newScan()
		defer func() { s.end(r) }()
		var rd Reading
		for _, src := range s.sources {
			if ctx.Err() != nil {
				return
			}
			b, err := s.ask(ctx, src)
			if s.abandoned {
				s = s.successor()
			}
			switch {
			case err == nil:
				rd = Reading{Kind: src.kind, Name: src.name, Stats: b.stats, Values: b.values}
			case ctx.Err() != nil && errors.Is(err, ErrTimeout):
				return
			default:
				rd = Reading{Kind: src.kind, Name: src.name, Err: err}
			}
			if !yield(&rd) {
				return
			}
		}
		self := newBuffer(selfPlan)
		st := r.Stats()
		self.stats, self.value = &st, reflect.ValueOf(&st).Elem()
		self.readFields()
		rd = Reading{Kind: selfKind, Name: selfName, Stats: &st, Values: self.values}
		yield(&rd)
	}
}

// scan is one reading of all sources. Its goroutine calls them in turn, so that
// one that blocks or ends its goroutine does not take the reader with it. After a
// timeout the goroutine and its buffers belong to the source that is stuck, and
// the reader goes on with a successor.
type scan struct {
	timeout time.Duration
	sources []*source
	buffers map[*plan]*buffer
	timer   *time.Timer
	asked   chan *source
	answers chan error // holds one

	r *Registry

	mu        sync.Mutex
	abandoned bool // nobody waits for the answer; set by the reader under mu
}

func (r *Registry) newScan() *scan {
	r.mu.Lock()
	sources, buffers := r.sources, r.free
	r.free = nil
	r.mu.Unlock()
	if buffers == nil {
		buffers = map[*plan]*buffer{}
	}
	return r.startScan(sources, buffers)
}

func (r *Registry) startScan(sources []*source, buffers map[*plan]*buffer) *scan {
	s := &scan{r: r, timeout: r.Timeout, sources: sources, buffers: buffers, asked: make(chan *source), answers: make(chan error, 1)}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	s.timer = time.NewTimer(s.timeout)
	go s.serve()
	return s
}

// successor takes over from a scan whose goroutine is lost.
func (s *scan) successor() *scan {
	close(s.asked)
	s.timer.Stop()
	return s.r.startScan(s.sources, map[*plan]*buffer{})
}

// end ends the goroutine and leaves the buffers for the next reading.
func (s *scan) end(r *Registry) {
	close(s.asked)
	s.timer.Stop()
	if s.abandoned { // a source still writes into them
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(s.buffers) <= 2*len(r.kinds)+8 { // otherwise most are of kinds long gone
		r.free = s.buffers
	}
}

// ask has the goroutine read a source. If that does not answer in time, or before
// ctx ends, s is abandoned.
func (s *scan) ask(ctx context.Context, src *source) (*buffer, error) {
	b := s.buffers[src.plan]
	if b == nil {
		b = newBuffer(src.plan)
		s.buffers[src.plan] = b
	}
	if n := src.stuck.Load(); n > 0 {
		return nil, fmt.Errorf("%w: %s %q: an earlier call has not returned", ErrTimeout, src.kind, src.name)
	}
	done := ctx.Done() // before: a method of ctx may panic
	s.timer.Reset(s.timeout)
	s.asked <- src
	select {
	case err := <-s.answers:
		return b, s.count(err)
	case <-done:
	case <-s.timer.C:
	}
	if err, ok := s.abandon(src); ok {
		return b, s.count(err)
	}
	if ctx.Err() == nil {
		s.r.timeouts.Add(1)
	}
	return nil, fmt.Errorf("%w: %s %q within %v", ErrTimeout, src.kind, src.name, s.timeout)
}

// abandon gives up waiting for a source, unless it has just answered.
func (s *scan) abandon(src *source) (answer error, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case err := <-s.answers:
		return err, true
	default:
	}
	s.abandoned = true
	src.stuck.Add(1)
	return nil, false
}

func (s *scan) count(err error) error {
	if errors.Is(err, ErrPanic) {
		s.r.panics.Add(1)
	}
	return err
}

// serve reads the sources that it is asked for. A source that ends the goroutine
// gets it a successor.
func (s *scan) serve() {
	var src *source
	defer func() {
		if src != nil && !s.answer(src, fmt.Errorf("%w: %s %q called runtime.Goexit", ErrPanic, src.kind, src.name)) {
			go s.serve()
		}
	}()
	for src = range s.asked {
		err := src.read(s.buffers[src.plan])
		done := src
		src = nil
		if s.answer(done, err) {
			return
		}
	}
	src = nil
}

// answer hands over, and reports whether nobody waits for it any more.
func (s *scan) answer(src *source, err error) (abandoned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abandoned {
		src.stuck.Add(-1)
		return true
	}
	s.answers <- err
	return false
}

// read calls the source's methods and fills the buffer.
func (src *source) read(b *buffer) (err error) {
	returned := false
	defer func() {
		if !returned { // with GODEBUG=panicnil=1 recover does not tell of a panic(nil)
			err = fmt.Errorf("%w: %s %q: %v", ErrPanic, src.kind, src.name, recover())
		}
	}()
	err = src.fill(b)
	returned = true
	return err
}

func (src *source) fill(b *buffer) error {
	if err := src.fetch(b); err != nil {
		return fmt.Errorf("%w: %s %q", err, src.kind, src.name)
	}
	b.readFields()
	if src.dist != nil {
		b.readSnapshots(src.dist)
	}
	return nil
}
