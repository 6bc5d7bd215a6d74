package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// Every way in which a handler may end, with plain and with confirmed
// acknowledgements: each message has the end that it asks for, once.
func TestEveryMessageEndsOnce(t *testing.T) {
	for _, double := range []bool{false, true} {
		t.Run(fmt.Sprint("double=", double), func(t *testing.T) {
			r := start(t)
			r.stream("DEAD", njs.LimitsPolicy, "dead")
			const n = 150
			cfg := r.queue(n, 0, 400*time.Millisecond)
			cfg.Workers, cfg.MaxDeliver, cfg.DeadLetter, cfg.DoubleAck = 8, 3, "dead", double
			var mu sync.Mutex
			done := map[string]int{}
			var running, most atomic.Int32
			var panics atomic.Int32
			cfg.OnError = func(_ context.Context, d *jetstream.Delivery, err error) {
				var p *jetstream.PanicError
				if errors.As(err, &p) {
					panics.Add(1)
				}
				if d != nil && string(d.Data) == "5" {
					panic("in the hook")
				}
			}
			cfg.Handle = func(ctx context.Context, d *jetstream.Delivery) error {
				now := running.Add(1)
				defer running.Add(-1)
				for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
				}
				id := string(d.Data)
				switch {
				case id == "1":
					return fmt.Errorf("%w: broken\r\nInjected: yes", jetstream.ErrTerminal)
				case id == "2" && d.Delivered == 1:
					panic("first time")
				case id == "3" && d.Delivered == 1:
					runtime.Goexit()
				case id == "4" && d.Delivered < 3:
					return errors.New("again")
				case id == "5":
					return errors.New("always")
				case id == "6": // three AckWaits: only heartbeats keep it
					time.Sleep(1200 * time.Millisecond) // real time: the server's AckWait is under test
				}
				mu.Lock()
				done[id]++
				mu.Unlock()
				return ctx.Err()
			}
			w := r.worker(cfg)
			r.drained("S")
			require.NoError(t, w.Close())
			require.NoError(t, w.Close())
			for i := range n {
				want := 1
				if i == 1 || i == 5 {
					want = 0
				}
				require.Equal(t, want, done[strconv.Itoa(i)], "message %d", i)
			}
			s := w.Stats()
			balanced(t, s)
			require.EqualValues(t, n-2, s.Acked)
			require.EqualValues(t, 2, s.DeadLettered)
			require.EqualValues(t, 1+1+2+2, s.Failed)
			require.EqualValues(t, 1+3, s.Panics)
			require.EqualValues(t, 1, panics.Load())
			require.NotZero(t, s.Heartbeats)
			require.LessOrEqual(t, most.Load(), int32(8))
			require.Less(t, s.AckBatches, uint64(n))
			require.Empty(t, r.stored("S"))
			dead := map[string]nats.Header{}
			for _, m := range r.stored("DEAD") {
				dead[string(m.Data)] = m.Header
			}
			require.Len(t, dead, 2)
			require.Equal(t, "jetstream: terminal: broken Injected: yes", dead["1"].Get(jetstream.HeaderReason))
			require.Equal(t, []string{"always", "s.x", "S", "c", "3"}, []string{
				dead["5"].Get(jetstream.HeaderReason), dead["5"].Get(jetstream.HeaderSubject),
				dead["5"].Get(jetstream.HeaderStream), dead["5"].Get(jetstream.HeaderConsumer), dead["5"].Get(jetstream.HeaderDelivered),
			})
			require.NotEmpty(t, dead["5"].Get(jetstream.HeaderSequence))
		})
	}
}

// Of a key's messages one runs at a time, in order; keys run beside each other,
// and a handler that ends its goroutine does not stop its key.
func TestOneOfAKeyAtATime(t *testing.T) {
	r := start(t)
	const n, keys = 120, 4
	cfg := r.queue(n, keys, 30*time.Second)
	cfg.Workers, cfg.Ahead = 4, 40
	cfg.Key = (*jetstream.Delivery).Key
	var busy [keys]atomic.Int32
	var mu sync.Mutex
	got := map[string][]int{}
	cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error {
		k, _ := strconv.Atoi(d.Key())
		if busy[k].Add(1) != 1 {
			t.Errorf("two of key %d", k)
		}
		defer busy[k].Add(-1)
		i, _ := strconv.Atoi(string(d.Data))
		if i%10 == 5 && d.Delivered == 1 {
			runtime.Goexit()
		}
		runtime.Gosched()
		if d.Delivered == 1 {
			mu.Lock()
			got[d.Key()] = append(got[d.Key()], i)
			mu.Unlock()
		}
		return nil
	}
	w := r.worker(cfg)
	r.drained("S")
	require.NoError(t, w.Close())
	for k, is := range got {
		require.IsIncreasing(t, is, "key %s", k)
	}
	require.EqualValues(t, n, w.Stats().Acked)
}

// Shutdown hands back at once what was not started; what ignores its ctx is left to
// AckWait, which is a minute here.
func TestShutdownHandsBackWhatWasNotStarted(t *testing.T) {
	r := start(t)
	cfg := r.queue(10, 0, time.Minute)
	cfg.Workers, cfg.Ahead = 3, 5
	cfg.Backoff = func(int) time.Duration { return time.Hour } // that Shutdown cancels a handler is no failure
	started := make(chan string, 10)
	var ignores atomic.Pointer[string] // the message whose handler ignores its ctx: the first that is started
	deaf := make(chan struct{})
	hear := sync.OnceFunc(func() { close(deaf) })
	defer hear() // else a failure hangs
	cfg.Handle = func(ctx context.Context, d *jetstream.Delivery) error {
		id := string(d.Data)
		first := ignores.CompareAndSwap(nil, &id)
		started <- id
		if first {
			<-deaf
			return nil
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	first := r.worker(cfg)
	for range 3 {
		<-started
	}
	require.Eventually(t, func() bool { return first.Stats().Waiting == 5 }, patience, time.Millisecond)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	err := first.Shutdown(ctx)
	var cut *jetstream.ShutdownError
	require.ErrorAs(t, err, &cut)
	require.ErrorIs(t, err, cause)
	require.Equal(t, 1, cut.Running)
	s := first.Stats()
	balanced(t, s)
	require.EqualValues(t, 5, s.Returned)
	require.EqualValues(t, 3, s.Failed+s.Abandoned)
	require.NotZero(t, s.Abandoned) // and no more but where the machine is so slow that a second passes
	select {
	case <-first.Done():
		t.Fatal("done while a handler runs")
	default:
	}

	done := make(chan string, 10)
	cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error { done <- string(d.Data); return nil }
	second := r.worker(cfg)
	seen := map[string]bool{}
	for range 9 {
		seen[<-done] = true
	}
	require.Len(t, seen, 9)
	require.False(t, seen[*ignores.Load()])
	hear() // its success comes too late and says nothing
	<-first.Done()
	require.Zero(t, first.Stats().Acked)
	require.NoError(t, second.Close())
	require.EqualValues(t, 9, second.Stats().Acked)
}

func TestCloseFinishesWhatRuns(t *testing.T) {
	r := start(t)
	cfg := r.queue(2, 0, time.Minute)
	cfg.Workers = 2
	started, goOn := make(chan struct{}, 2), make(chan struct{})
	cfg.Handle = func(ctx context.Context, _ *jetstream.Delivery) error {
		started <- struct{}{}
		<-goOn
		return ctx.Err()
	}
	w := r.worker(cfg)
	<-started
	<-started
	closed := make(chan error)
	go func() { closed <- w.Close() }()
	close(goOn)
	require.NoError(t, <-closed)
	require.EqualValues(t, 2, w.Stats().Acked)
	r.drained("S")
}

// A Shutdown that cancels the last delivery that a message may have does not give it up:
// it goes back.
func TestShutdownGivesNothingUp(t *testing.T) {
	r := start(t)
	cfg := r.queue(1, 0, time.Minute)
	cfg.MaxDeliver = 1
	started := make(chan struct{})
	cfg.Handle = func(ctx context.Context, _ *jetstream.Delivery) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	}
	w := r.worker(cfg)
	<-started
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Error(t, w.Shutdown(ctx))
	<-w.Done()
	s := w.Stats()
	require.Equal(t, []uint64{1, 0}, []uint64{s.Failed, s.Terminated})
	require.Len(t, r.stored("S"), 1)
}

// A handler's ctx ends with TaskTimeout, and a Backoff or Key that panics fails one
// message and stops nothing.
func TestHooksThatPanicAndHandlersThatHang(t *testing.T) {
	r := start(t)
	cfg := r.queue(3, 0, 30*time.Second)
	cfg.TaskTimeout = 10 * time.Millisecond
	var backoffs atomic.Int32
	cfg.Backoff = func(int) time.Duration {
		if backoffs.Add(1) == 1 {
			panic("backoff")
		}
		return 0
	}
	var keys atomic.Int32
	cfg.Key = func(*jetstream.Delivery) string {
		switch keys.Add(1) {
		case 1:
			panic("key")
		case 2:
			runtime.Goexit()
		}
		return "k"
	}
	var cause atomic.Value
	cfg.Handle = func(ctx context.Context, d *jetstream.Delivery) error {
		if string(d.Data) == "2" && cause.Load() == nil {
			<-ctx.Done()
			cause.Store(context.Cause(ctx))
			return ctx.Err()
		}
		return nil
	}
	w := r.worker(cfg)
	r.drained("S")
	require.ErrorIs(t, cause.Load().(error), jetstream.ErrTimeout)
	require.NoError(t, w.Close())
	s := w.Stats()
	require.EqualValues(t, 3, s.Acked)
	require.EqualValues(t, 2, s.Panics)
}

// A Backoff that ends its goroutine is one that panics: the message comes again after a
// second, long before AckWait.
func TestABackoffThatEndsItsGoroutine(t *testing.T) {
	for _, dead := range []bool{false, true} { // with a dead letter that cannot be stored
		r := start(t)
		_, err := r.js.CreateStream(within(t), njs.StreamConfig{Name: "DEAD", Subjects: []string{"dead"}, MaxMsgSize: 1})
		require.NoError(t, err)
		cfg := r.queue(1, 0, time.Hour)
		cfg.Backoff = func(int) time.Duration { runtime.Goexit(); return 0 }
		if dead {
			cfg.DeadLetter = "dead"
		}
		cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error {
			switch {
			case d.Delivered > 1:
				return nil
			case dead:
				return jetstream.ErrTerminal
			}
			return errors.New("again")
		}
		w := r.worker(cfg)
		r.drained("S")
		require.NoError(t, w.Close())
		s := w.Stats()
		require.Equal(t, []uint64{2, 1, 1}, []uint64{s.Calls, s.Failed, s.Acked})
	}
}
