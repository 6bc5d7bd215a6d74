package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// manySender is a type that has SendMany.
type manySender struct {
	send     func(context.Context, int) error
	timeout  func(int, time.Duration) error
	many     func(context.Context, []int) (int, error)
	shutdown func(context.Context) ([]int, error)
	stats    func() batchchan.Stats
	validate func()
}

// Items with something special. tooLarge is also the size of that one.
const (
	tooLarge = 1000 // is refused
	badKey   = 2000 // its key is refused
	stopKey  = 3001 // its key was stopped
	slow     = 4000 // takes a minute
)

type rejectingKind struct {
	name  string
	sized bool // items have sizes
	keyed bool
	pull  bool // there is no processor
	make  func(*testing.T, batchchan.Config[int], batchchan.Func[int]) manySender
}

var rejectingKinds = func() (kinds []rejectingKind) {
	add := func(name string, k rejectingKind) {
		kinds = append(kinds, k)
		k.name, k.sized = name+" with sizes", true
		kinds = append(kinds, k)
	}
	add("Batcher", rejectingKind{name: "Batcher", make: func(t *testing.T, cfg batchchan.Config[int], fn batchchan.Func[int]) manySender {
		b := batchchan.Must(batchchan.New(cfg, fn))
		return manySender{b.Send, b.SendTimeout, b.SendMany, b.Shutdown, b.Stats, func() { b.Validate(t, 0) }}
	}})
	add("Queue", rejectingKind{name: "Queue", pull: true, make: func(t *testing.T, cfg batchchan.Config[int], _ batchchan.Func[int]) manySender {
		q := batchchan.Must(batchchan.NewQueue(cfg))
		return manySender{q.Send, q.SendTimeout, q.SendMany, q.Shutdown, q.Stats, func() { q.Validate(t, 0) }}
	}})
	add("Pipe", rejectingKind{name: "Pipe", make: func(t *testing.T, cfg batchchan.Config[int], fn batchchan.Func[int]) manySender {
		p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: cfg}, func(ctx context.Context, in, out []int) ([]int, error) { return out, fn(ctx, in) }))
		return manySender{p.Send, p.SendTimeout, p.SendMany, p.Shutdown, p.Stats, func() { p.Validate(t, 0) }}
	}})
	for _, keys := range []int{1, 2} {
		key := func(v int) any {
			switch v {
			case badKey:
				return math.NaN()
			case stopKey:
				return "stopped"
			}
			return v % keys
		}
		name := fmt.Sprintf("Keyed of %d", keys)
		add(name, rejectingKind{name: name, keyed: true, make: func(t *testing.T, cfg batchchan.Config[int], fn batchchan.Func[int]) manySender {
			cfg.OnError = func(context.Context, error, []int) {}
			k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: cfg, StopOnError: true}, key, func(ctx context.Context, _ any, items []int) error { return fn(ctx, items) }))
			return manySender{k.Send, k.SendTimeout, k.SendMany, k.Shutdown, func() batchchan.Stats { return k.Stats().Stats }, func() { k.Validate(t, 0) }}
		}})
	}
	return kinds
}()

// manyEnd is a way in which a SendMany gives up.
type manyEnd struct {
	name     string
	policies []batchchan.Overflow // nil: all
	only     func(rejectingKind) bool
	set      func(*batchchan.Config[int])
	// run sends, and returns how many items that were. trip ends ctx, in a way that
	// depends on the policy: in the middle.
	run    func(s manySender, inside context.Context) (n, of int, err error)
	err    error
	n      map[batchchan.Overflow]int // how many are accepted; nil: none
	before bool                       // ctx was done beforehand
}

var errTripped = errors.New("tripped")

// With the processor at item 0 and room for 4, a SendMany of 10 gives up in every way
// that there is. Exactly the items that it has not accepted count as rejected.
func TestSendManyCountsWhatItRejects(t *testing.T) {
	ten := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	with := func(at, v int) []int {
		items := append([]int(nil), ten...)
		items[at] = v
		return items
	}
	many := func(items []int) func(manySender, context.Context) (int, int, error) {
		return func(s manySender, _ context.Context) (int, int, error) {
			n, err := s.many(bg, items)
			return n, len(items), err
		}
	}
	// A sender that waits does so with 4 accepted; one that drops has dropped 2, and one
	// that processes is at its second batch.
	middle := map[batchchan.Overflow]int{batchchan.Block: 4, batchchan.DropNewest: 6, batchchan.DropOldest: 6, batchchan.CallerRuns: 6}
	waits := []batchchan.Overflow{batchchan.Block, batchchan.DropNewest, batchchan.DropOldest, batchchan.CallerRuns}
	// What ends the sending in the middle. A timer's goroutine calls it.
	var mu sync.Mutex
	var tripwire func()
	setTrip := func(f func()) {
		mu.Lock()
		defer mu.Unlock()
		tripwire = f
	}
	trip := func() {
		mu.Lock()
		f := tripwire
		mu.Unlock()
		f()
	}
	cancelled := func(cause error) func(manySender, context.Context) (int, int, error) {
		return func(s manySender, _ context.Context) (int, int, error) {
			ctx, cancel := context.WithCancelCause(bg)
			setTrip(func() { cancel(cause) })
			n, err := s.many(ctx, ten)
			return n, len(ten), err
		}
	}
	processes := func(k rejectingKind) bool { return !k.pull }
	ends := []manyEnd{
		{name: "ctx", policies: waits, run: cancelled(errTripped), err: errTripped, n: middle},
		{name: "ctx with ErrTimeout", policies: waits, run: cancelled(batchchan.ErrTimeout), err: batchchan.ErrTimeout, n: middle},
		{name: "Close", policies: waits, err: batchchan.ErrClosed, n: middle, run: func(s manySender, _ context.Context) (int, int, error) {
			setTrip(func() {
				over, cancel := context.WithCancel(bg)
				cancel()
				_, _ = s.shutdown(over)
			})
			n, err := s.many(bg, ten)
			return n, len(ten), err
		}},
		{name: "full", policies: []batchchan.Overflow{batchchan.Reject}, run: many(ten), err: batchchan.ErrFull, n: map[batchchan.Overflow]int{batchchan.Reject: 4}},
		{name: "MaxWaiters", policies: []batchchan.Overflow{batchchan.Block}, err: batchchan.ErrFull, n: map[batchchan.Overflow]int{batchchan.Block: 4}, set: func(cfg *batchchan.Config[int]) { cfg.MaxWaiters = 1 }, run: func(s manySender, _ context.Context) (int, int, error) {
			n, err := s.many(bg, ten[:4])
			if err != nil {
				return n, 4, err
			}
			ctx, cancel := context.WithCancel(bg)
			defer synctest.Wait()
			defer cancel()
			go func() { _ = s.send(ctx, 5) }() // one more that is rejected
			synctest.Wait()
			m, err := s.many(bg, ten)
			return n + m, 4 + 1 + len(ten), err
		}},
		{name: "processor's ctx", only: processes, policies: []batchchan.Overflow{batchchan.Block, batchchan.CallerRuns}, err: batchchan.ErrFull, n: map[batchchan.Overflow]int{batchchan.Block: 4, batchchan.CallerRuns: 4}, run: func(s manySender, inside context.Context) (int, int, error) {
			n, err := s.many(inside, ten)
			return n, len(ten), err
		}},
		{name: "ctx beforehand", err: context.Canceled, before: true, run: func(s manySender, _ context.Context) (int, int, error) {
			ctx, cancel := context.WithCancel(bg)
			cancel()
			n, err := s.many(ctx, ten)
			return n, len(ten), err
		}},
		{name: "Close beforehand", err: batchchan.ErrClosed, run: func(s manySender, _ context.Context) (int, int, error) {
			over, cancel := context.WithCancel(bg)
			cancel()
			_, _ = s.shutdown(over)
			n, err := s.many(bg, ten)
			return n, len(ten), err
		}},
		{
			name: "too large", only: func(k rejectingKind) bool { return k.sized }, run: many(with(2, tooLarge)), err: batchchan.ErrTooLarge,
			n: map[batchchan.Overflow]int{batchchan.Block: 2, batchchan.Reject: 2, batchchan.DropNewest: 2, batchchan.DropOldest: 2, batchchan.CallerRuns: 2},
		},
		{
			name: "full before one too large", only: func(k rejectingKind) bool { return k.sized }, policies: []batchchan.Overflow{batchchan.Reject}, run: many(with(8, tooLarge)),
			err: batchchan.ErrFull, n: map[batchchan.Overflow]int{batchchan.Reject: 4},
		},
		{
			name: "bad key", only: func(k rejectingKind) bool { return k.keyed }, run: many(with(2, badKey)), err: batchchan.ErrBadKey,
			n: map[batchchan.Overflow]int{batchchan.Block: 2, batchchan.Reject: 2, batchchan.DropNewest: 2},
		},
		{
			name: "full before a bad key", only: func(k rejectingKind) bool { return k.keyed }, policies: []batchchan.Overflow{batchchan.Reject}, run: many(with(8, badKey)),
			err: batchchan.ErrFull, n: map[batchchan.Overflow]int{batchchan.Reject: 4},
		},
		{
			name: "stopped key", only: func(k rejectingKind) bool { return k.keyed }, run: many(with(2, stopKey)), err: batchchan.ErrStopped,
			n: map[batchchan.Overflow]int{batchchan.Block: 2, batchchan.Reject: 2, batchchan.DropNewest: 2},
		},
	}
	for _, kind := range rejectingKinds {
		for _, policy := range []batchchan.Overflow{batchchan.Block, batchchan.Reject, batchchan.DropNewest, batchchan.DropOldest, batchchan.CallerRuns} {
			if kind.pull && policy == batchchan.CallerRuns || kind.keyed && policy > batchchan.DropNewest {
				continue
			}
			for _, end := range ends {
				if end.only != nil && !end.only(kind) {
					continue
				}
				applies := len(end.policies) == 0
				for _, p := range end.policies {
					applies = applies || p == policy
				}
				if !applies {
					continue
				}
				t.Run(fmt.Sprint(kind.name, "/", policy, "/", end.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						setTrip(func() {})
						s, inside, release := heldSender(t, kind, policy, end.set, trip)
						defer release()
						if policy == batchchan.Block {
							defer time.AfterFunc(time.Second, trip).Stop()
						}
						old := s.stats()
						n, of, err := end.run(s, inside)
						require.ErrorIs(t, err, end.err)
						require.Equal(t, end.n[policy], n)
						now := s.stats()
						want := of - n
						if end.before {
							want = 0
						}
						require.EqualValues(t, want, now.Rejected-old.Rejected)
						require.EqualValues(t, n, now.Accepted-old.Accepted)
					})
				})
			}
		}
	}
}

// heldSender returns one of that kind with room for 4 items, and the ctx of its
// processor, which is at item 0 until release is called. trip is called by the second
// drop, and in the second batch that a sender processes itself.
func heldSender(t *testing.T, kind rejectingKind, policy batchchan.Overflow, set func(*batchchan.Config[int]), trip func()) (s manySender, inside context.Context, release func()) {
	gate := make(chan struct{})
	drops, calls := 0, 0
	cfg := batchchan.Config[int]{
		MaxBatch: 2, MaxPending: 4, Overflow: policy,
		OnDrop: func(int, batchchan.DropReason) {
			if drops++; drops == 2 {
				trip()
			}
		},
	}
	if kind.sized {
		cfg.MaxBytes = tooLarge - 1
		cfg.SizeOf = func(v int) int {
			if v == tooLarge {
				return tooLarge
			}
			return 1
		}
	}
	if set != nil {
		set(&cfg)
	}
	s = kind.make(t, cfg, func(ctx context.Context, items []int) error {
		switch {
		case items[0] == stopKey:
			return errTripped
		case items[0] == slow:
			time.Sleep(time.Minute)
		case items[0] == 0:
			inside = ctx
			select {
			case <-gate:
			case <-ctx.Done():
			}
		case policy == batchchan.CallerRuns:
			if calls++; calls == 2 {
				trip()
			}
		}
		return nil
	})
	if kind.keyed {
		require.NoError(t, s.send(bg, stopKey))
		synctest.Wait()
	}
	if !kind.pull {
		require.NoError(t, s.send(bg, 0))
		synctest.Wait()
	}
	return s, inside, func() {
		close(gate)
		over, cancel := context.WithTimeout(bg, time.Hour) // nobody receives from a Queue
		defer cancel()
		_, _ = s.shutdown(over)
		synctest.Wait()
		checkQuiet(t, s.stats())
		s.validate()
	}
}

// A send of one item that gives up, in whatever way, counts it as rejected; one that
// drops it does not.
func TestSendCountsWhatItRejects(t *testing.T) {
	for _, kind := range rejectingKinds {
		for _, policy := range []batchchan.Overflow{batchchan.Block, batchchan.Reject, batchchan.DropNewest, batchchan.DropOldest, batchchan.CallerRuns} {
			if kind.pull && policy == batchchan.CallerRuns || kind.keyed && policy > batchchan.DropNewest {
				continue
			}
			for _, end := range []struct {
				name string
				err  map[batchchan.Overflow]error
				send func(s manySender) error
			}{
				{"SendTimeout", map[batchchan.Overflow]error{batchchan.Block: batchchan.ErrTimeout, batchchan.Reject: batchchan.ErrFull, batchchan.CallerRuns: batchchan.ErrTimeout}, func(s manySender) error {
					return s.timeout(5, time.Second)
				}},
				{"SendTimeout without a time", map[batchchan.Overflow]error{batchchan.Block: batchchan.ErrFull, batchchan.Reject: batchchan.ErrFull, batchchan.CallerRuns: batchchan.ErrFull}, func(s manySender) error {
					return s.timeout(5, 0)
				}},
				{"ctx", map[batchchan.Overflow]error{batchchan.Block: context.DeadlineExceeded, batchchan.Reject: batchchan.ErrFull, batchchan.CallerRuns: context.DeadlineExceeded}, func(s manySender) error {
					ctx, cancel := context.WithTimeout(bg, time.Second)
					defer cancel()
					return s.send(ctx, 5)
				}},
			} {
				t.Run(fmt.Sprint(kind.name, "/", policy, "/", end.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s, _, release := heldSender(t, kind, policy, nil, func() {})
						defer release()
						_, err := s.many(bg, []int{slow, 2, 3, 4})
						require.NoError(t, err)
						old := s.stats()
						err = end.send(s)
						now := s.stats()
						require.ErrorIs(t, err, end.err[policy])
						rejected := 0
						if err != nil {
							rejected = 1
						}
						require.EqualValues(t, rejected, now.Rejected-old.Rejected)
						require.EqualValues(t, 1-rejected, now.Accepted-old.Accepted)
					})
				})
			}
		}
	}
}
