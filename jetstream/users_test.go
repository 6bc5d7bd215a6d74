package jetstream_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// hostile is an error with a method that does not return.
type hostile struct {
	method string
	leave  func()
}

func (h hostile) Error() string { h.in("Error"); return "hostile" }

func (h hostile) As(any) bool { h.in("As"); return false }

func (h hostile) Is(target error) bool {
	h.in("Is")
	return h.method == "Error" && target == jetstream.ErrTerminal //nolint:errorlint // it is Is
}

func (h hostile) in(method string) {
	if method == h.method {
		h.leave()
	}
}

// A message whose error has a method that does not return is handed back, or given up, as
// others: it is not held for ever.
func TestErrorsWithMethodsThatDoNotReturn(t *testing.T) {
	for _, method := range []string{"Error", "Is", "As"} {
		for how, leave := range map[string]func(){"panic": func() { panic("no") }, "Goexit": runtime.Goexit} {
			for _, batch := range []bool{false, true} {
				for _, dead := range []string{"", "dead"} {
					t.Run(fmt.Sprint(method, how, " batch=", batch, dead), func(t *testing.T) {
						t.Parallel()
						r := start(t)
						cfg := r.queue(2, 0, 30*time.Second)
						if cfg.DeadLetter = dead; dead != "" {
							r.stream("DEAD", 0, dead)
						}
						handle := func(d *jetstream.Delivery) error {
							if d.Delivered == 1 {
								return hostile{method, leave}
							}
							return nil
						}
						if batch {
							cfg.HandleBatch = func(_ context.Context, ds []*jetstream.Delivery) error { return handle(ds[0]) }
						} else {
							cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error { return handle(d) }
						}
						w := r.worker(cfg)
						r.drained("S")
						require.NoError(t, w.Close())
						require.Zero(t, w.Stats().Running)
					})
				}
			}
		}
	}
}

// A handler that panics with nil has not handled its message, also where recover says
// nothing of that.
func TestNilPanicIsNoSuccess(t *testing.T) {
	for _, debug := range []string{"panicnil=0", "panicnil=1"} {
		for _, batch := range []bool{false, true} {
			t.Run(fmt.Sprint(debug, batch), func(t *testing.T) {
				t.Setenv("GODEBUG", debug)
				r := start(t)
				cfg := r.queue(1, 0, 30*time.Second)
				handle := func(d *jetstream.Delivery) {
					if d.Delivered == 1 {
						panic(nil)
					}
				}
				if batch {
					cfg.HandleBatch = func(_ context.Context, ds []*jetstream.Delivery) error { handle(ds[0]); return nil }
				} else {
					cfg.Handle = func(_ context.Context, d *jetstream.Delivery) error { handle(d); return nil }
				}
				told := make(chan error, 10)
				cfg.OnError = func(_ context.Context, _ *jetstream.Delivery, err error) { told <- err }
				w := r.worker(cfg)
				r.drained("S")
				require.NoError(t, w.Close())
				s := w.Stats()
				require.Equal(t, []uint64{1, 1, 1}, []uint64{s.Acked, s.Failed, s.Panics})
				var nilPanic *runtime.PanicNilError
				require.ErrorAs(t, <-told, &nilPanic)
			})
		}
	}
}

// badContext has a method that panics.
type badContext struct {
	context.Context
	method string
}

func (c badContext) Value(key any) any     { c.in("Value"); return c.Context.Value(key) }
func (c badContext) Done() <-chan struct{} { c.in("Done"); return c.Context.Done() }
func (c badContext) Err() error            { c.in("Err"); return c.Context.Err() }

func (c badContext) in(method string) {
	if method == c.method {
		panic("no " + method)
	}
}

// A message whose ctx panics is accounted for.
func TestAPublisherWithAContextThatPanics(t *testing.T) {
	r := start(t)
	r.stream("S", 0, "s.>")
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, method := range []string{"Value", "Done", "Err"} {
		for _, parent := range []context.Context{context.Background(), over} {
			p := r.publisher(jetstream.PublisherConfig{})
			ctx := badContext{parent, method}
			for _, call := range []func(){
				func() { _ = p.Send(ctx, "s.x", jetstream.Message{}) },
				func() { _ = p.TrySend(ctx, "s.x", jetstream.Message{}) },
				func() { _, _ = p.Publish(ctx, "s.x", jetstream.Message{}) },
			} {
				func() {
					defer func() { _ = recover() }()
					call()
				}()
			}
			require.NoError(t, p.Close())
			s := p.Stats()
			adds(t, s)
			require.Zero(t, s.Pending, "%s %v: %+v", method, parent, s)
		}
	}
}
