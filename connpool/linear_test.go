package connpool_test

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// The operations of a history and what they answered. Connections are known by
// their number at the server, 1 to 63. A Close is two operations that both lie
// within the call: "close", from which on nothing is lent, and "closed", at which
// nothing is out any more.
type (
	linIn struct {
		op string
		id int // of release, destroy, hijack
		// mayFail: the TryAcquire is beside an Acquire that gave up, to which a
		// connection may have been lent for a moment.
		mayFail bool
	}
	linOut struct {
		id  int // what was lent; 0: nothing
		err error
	}
	// linState is the obvious pool: sets of connections, one bit each.
	linState struct {
		live   uint64 // in the pool, idle or on loan
		held   uint64 // on loan
		gone   uint64 // have left
		closed bool
	}
)

func linStep(maxOpen int, s linState, in linIn, out linOut) (bool, linState) {
	switch in.op {
	case "acquire", "try":
		switch {
		case errors.Is(out.err, connpool.ErrClosed):
			return s.closed, s
		case out.err == connpool.ErrNotReady:
			return !s.closed && (in.mayFail || s.live&^s.held == 0), s
		case out.err != nil: // the ctx ended
			return true, s
		}
		bit := uint64(1) << out.id
		if s.live&bit == 0 { // newly dialed: there must be room for it
			if s.gone&bit != 0 || bits.OnesCount64(s.live) >= maxOpen {
				return false, s
			}
			s.live |= bit
		}
		ok := !s.closed && s.held&bit == 0
		s.held |= bit
		return ok, s
	case "release":
		bit := uint64(1) << in.id
		ok := s.held&bit != 0
		s.held &^= bit
		if s.closed {
			s.live, s.gone = s.live&^bit, s.gone|bit
		}
		return ok, s
	case "destroy", "hijack":
		bit := uint64(1) << in.id
		ok := s.held&bit != 0
		s.held, s.live, s.gone = s.held&^bit, s.live&^bit, s.gone|bit
		return ok, s
	case "close":
		s.closed = true
		return true, s
	case "closed":
		return s.closed && s.held == 0, s
	}
	panic(in.op)
}

// linModel is a pool of maxOpen connections, all of them open and idle.
func linModel(maxOpen int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return linState{live: 1<<(maxOpen+1) - 2} },
		Step: func(s, in, out any) (bool, any) {
			ok, next := linStep(maxOpen, s.(linState), in.(linIn), out.(linOut))
			return ok, next
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
	}
}

// history records operations with the times of their calls and returns.
type history struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation
}

func (h *history) do(client int, in linIn, f func() linOut) linOut {
	call := h.clock.Add(1)
	out := f()
	ret := h.clock.Add(1)
	h.mu.Lock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: ret})
	h.mu.Unlock()
	return out
}

// all returns the operations; failed TryAcquires beside an Acquire that gave up
// are marked as such.
func (h *history) all() []porcupine.Operation {
	for i, try := range h.ops {
		if try.Input.(linIn).op != "try" {
			continue
		}
		for _, o := range h.ops {
			if errors.Is(o.Output.(linOut).err, context.Canceled) && o.Call < try.Return && try.Call < o.Return {
				h.ops[i].Input = linIn{op: "try", mayFail: true}
			}
		}
	}
	return h.ops
}

// play has a few goroutines do random operations on a new pool.
func play(t *testing.T, rng *rand.Rand, order connpool.Order, maxOpen int, withClose bool) []porcupine.Operation {
	const goroutines, each = 4, 9
	s := newServer(t)
	p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.Order = maxOpen, order })
	require.NoError(t, p.Warm(context.Background(), maxOpen))
	h := new(history)
	var wg sync.WaitGroup
	var ready atomic.Int64
	var waiting atomic.Pointer[context.CancelFunc] // of an Acquire that may be waiting
	for g := range goroutines {
		rng := split(rng)
		wg.Go(func() {
			for ready.Add(1); ready.Load() < goroutines; {
				runtime.Gosched()
			}
			var held []connpool.Conn[*fake]
			got := func(c connpool.Conn[*fake], err error) linOut {
				if err != nil {
					return linOut{err: err}
				}
				held = append(held, c)
				return linOut{id: c.Value().id}
			}
			end := func(op string, f func(connpool.Conn[*fake])) {
				c := held[0]
				held = held[1:]
				h.do(g, linIn{op: op, id: c.Value().id}, func() linOut { f(c); return linOut{} })
			}
			for range each {
				switch k := rng.IntN(24); {
				case k == 0: // or its number would run past the model's bits
					if len(held) > 0 {
						end("destroy", func(c connpool.Conn[*fake]) { c.Destroy(nil) })
					}
				case k == 1:
					if len(held) > 0 {
						end("hijack", func(c connpool.Conn[*fake]) {
							f := c.Hijack()
							s.set(func() { s.slots--; delete(s.conns, f) })
						})
					}
				case len(held) > 0 && k < 14:
					end("release", connpool.Conn[*fake].Release)
					// Who waits has it now, or so it seems: it gives up, often before
					// it wakes.
					if cancel := waiting.Load(); k < 6 && cancel != nil {
						(*cancel)()
					}
				case len(held) > 0 || k < 14: // who holds one does not wait for another
					h.do(g, linIn{op: "try"}, func() linOut { return got(p.TryAcquire()) })
				default:
					ctx, cancel := context.WithCancel(context.Background())
					if k < 17 {
						go cancel()
					} else {
						waiting.Store(&cancel)
					}
					h.do(g, linIn{op: "acquire"}, func() linOut { return got(p.Acquire(ctx)) })
					cancel()
				}
			}
			for len(held) > 0 {
				end("release", connpool.Conn[*fake].Release)
			}
		})
	}
	if withClose {
		at := 10 + rng.Int64N(goroutines*each)
		wg.Go(func() {
			for h.clock.Load() < at {
				runtime.Gosched()
			}
			call := h.clock.Add(1)
			_ = p.Close()
			ret := h.clock.Add(1)
			h.mu.Lock()
			defer h.mu.Unlock()
			for _, op := range []string{"close", "closed"} {
				h.ops = append(h.ops, porcupine.Operation{
					ClientId: goroutines, Input: linIn{op: op}, Call: call, Output: linOut{}, Return: ret,
				})
			}
		})
	}
	wg.Wait()
	s.end(p)
	return h.all()
}

// TestLinearizable checks short histories against the model: no connection has two
// holders, none comes back from the dead, there are never more than MaxOpen, who
// gets ErrNotReady could not have had one, Close means it.
func TestLinearizable(t *testing.T) {
	undecided, n, rng := 0, long(t, 3000), connpool.NewRand(t)
	orders := []connpool.Order{connpool.Affinity, connpool.LIFO, connpool.FIFO}
	for i := range n {
		maxOpen := 1 + i%3
		model := linModel(maxOpen)
		ops := play(t, rng, orders[i/3%3], maxOpen, i%4 == 0)
		switch porcupine.CheckOperationsTimeout(model, ops, 5*time.Second) {
		case porcupine.Illegal:
			slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
			for _, op := range ops {
				t.Logf("%d [%d,%d] %s", op.ClientId, op.Call, op.Return, model.DescribeOperation(op.Input, op.Output))
			}
			t.Fatalf("history %d is not linearizable", i)
		case porcupine.Unknown:
			undecided++
		}
	}
	require.Less(t, undecided*50, n, "too many histories were not decided")
}

// TestModelRejects makes sure that the checker can say no.
func TestModelRejects(t *testing.T) {
	clock := int64(0)
	op := func(in linIn, out linOut) porcupine.Operation {
		clock += 2
		return porcupine.Operation{Input: in, Call: clock, Output: out, Return: clock + 1}
	}
	lent := func(id int) porcupine.Operation { return op(linIn{op: "acquire"}, linOut{id: id}) }
	end := func(how string, id int) porcupine.Operation { return op(linIn{op: how, id: id}, linOut{}) }
	try := func(err error) porcupine.Operation { return op(linIn{op: "try"}, linOut{err: err}) }
	accept := func(ops ...porcupine.Operation) bool { return porcupine.CheckOperations(linModel(2), ops) }
	require.True(t, accept(lent(1), lent(2), try(connpool.ErrNotReady), end("release", 1), lent(1), end("destroy", 2), lent(3),
		end("close", 0), try(connpool.ErrClosed), end("release", 1), end("release", 3), end("closed", 0)))
	require.False(t, accept(lent(1), lent(1)), "two holders")
	require.False(t, accept(lent(3)), "a third of two")
	require.False(t, accept(lent(1), end("destroy", 1), lent(1)), "back from the dead")
	require.False(t, accept(lent(1), end("hijack", 1), lent(3), lent(2), end("release", 2), lent(4)), "too many after a hijack")
	require.False(t, accept(lent(1), try(connpool.ErrNotReady)), "one is idle")
	require.False(t, accept(end("release", 1)), "nobody had it")
	require.False(t, accept(try(connpool.ErrClosed)), "it is open")
	require.False(t, accept(end("close", 0), lent(1)), "it is closed")
	require.False(t, accept(lent(1), end("close", 0), end("closed", 0), end("release", 1)), "Close did not wait")
}

// TestTryAcquireFailsOnlyIfNothingIsReady: of two connections in many one is idle
// at every moment, but not the same one. A search that looks at each once can find
// each on loan.
func TestTryAcquireFailsOnlyIfNothingIsReady(t *testing.T) {
	for _, order := range []connpool.Order{connpool.Affinity, connpool.LIFO, connpool.FIFO} {
		s := newServer(t)
		p := s.pool(func(c *connpool.Config[*fake]) { c.MaxOpen, c.Order = 400, order })
		require.NoError(t, p.Warm(context.Background(), 400))
		held := p.AcquireAllIdle()
		first, last := held[0], held[len(held)-1]
		held = held[1 : len(held)-1]
		first.Release()
		last.Release()
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() {
			for !stop.Load() {
				for _, one := range []connpool.Conn[*fake]{first, last} {
					if c, ok := one.Borrow(); ok {
						runtime.Gosched() // the other is idle
						c.Release()
					}
				}
			}
		})
		for range long(t, 10000) {
			c, err := p.TryAcquire()
			if err != nil {
				t.Errorf("order %d: %v although one was idle all the time", order, err)
				break
			}
			c.Release()
		}
		stop.Store(true)
		wg.Wait()
		for _, c := range held {
			c.Release()
		}
		s.end(p)
	}
}
