package jetstream_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream"
)

// ends are the ways to end a Worker.
func ends() map[string]func(w *jetstream.Worker) error {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	return map[string]func(w *jetstream.Worker) error{
		"Close":               func(w *jetstream.Worker) error { return w.Close() },
		"Shutdown":            func(w *jetstream.Worker) error { return w.Shutdown(context.Background()) },
		"Shutdown, ctx ended": func(w *jetstream.Worker) error { return w.Shutdown(over) },
	}
}

// A Worker that is ended by one of its functions does not wait for itself, and ends.
func TestAWorkerEndsFromWithin(t *testing.T) {
	type rigged struct {
		end   func() error // ends the Worker
		errs  chan<- error
		alter func(w *jetstream.Worker) // has the function called
	}
	for where, set := range map[string]func(r *rig, cfg *jetstream.Config, at *rigged){
		"Handle": func(_ *rig, cfg *jetstream.Config, at *rigged) {
			cfg.Handle = func(context.Context, *jetstream.Delivery) error { at.errs <- at.end(); return nil }
		},
		"HandleBatch": func(_ *rig, cfg *jetstream.Config, at *rigged) {
			cfg.Handle = nil
			cfg.HandleBatch = func(context.Context, []*jetstream.Delivery) error { at.errs <- at.end(); return nil }
		},
		"OnError of a batch": func(_ *rig, cfg *jetstream.Config, at *rigged) {
			cfg.Handle = nil
			cfg.HandleBatch = func(context.Context, []*jetstream.Delivery) error { return jetstream.ErrTerminal }
			cfg.OnError = func(context.Context, *jetstream.Delivery, error) { at.errs <- at.end() }
		},
		"OnError of a message": func(_ *rig, cfg *jetstream.Config, at *rigged) {
			cfg.Handle = func(context.Context, *jetstream.Delivery) error { return jetstream.ErrTerminal }
			cfg.OnError = func(context.Context, *jetstream.Delivery, error) { at.errs <- at.end() }
		},
		"Key": func(_ *rig, cfg *jetstream.Config, at *rigged) {
			cfg.Key = func(*jetstream.Delivery) string { at.errs <- at.end(); return "" }
		},
		"OnError of a fetch": func(r *rig, cfg *jetstream.Config, at *rigged) {
			cfg.OnError = func(_ context.Context, d *jetstream.Delivery, _ error) {
				if d == nil {
					at.errs <- at.end()
				}
			}
			at.alter = func(*jetstream.Worker) {
				require.NoError(r.t, r.js.DeleteConsumer(within(r.t), "S", "c"))
			}
		},
	} {
		for how, end := range ends() {
			t.Run(where+"/"+how, func(t *testing.T) {
				t.Parallel()
				r := start(t)
				n := 1
				errs, ready := make(chan error, 10), make(chan struct{})
				var w *jetstream.Worker
				at := &rigged{errs: errs, end: func() error {
					<-ready
					return end(w)
				}}
				cfg := jetstream.Config{Handle: ok}
				set(r, &cfg, at)
				if at.alter != nil {
					n = 0
				}
				queue := r.queue(n, 0, time.Minute)
				cfg.Conn, cfg.Stream, cfg.Consumer = queue.Conn, queue.Stream, queue.Consumer
				var err error
				w, err = jetstream.Start(within(t), cfg)
				require.NoError(t, err)
				close(ready)
				if at.alter != nil {
					at.alter(w)
				}
				select {
				case err := <-errs:
					require.ErrorIs(t, err, jetstream.ErrInside)
				case <-within(t).Done():
					t.Fatal("it waits for itself")
				}
				<-w.Done()
				s := w.Stats()
				balanced(t, s)
				require.Zero(t, s.Abandoned, "%+v", s)
				if where == "Handle" || where == "HandleBatch" {
					require.EqualValues(t, 1, s.Acked)
				}
			})
		}
	}
}

// Who ends a Worker that has ended gets nil, whatever became of ctx.
func TestEndedTwice(t *testing.T) {
	r := start(t)
	cfg := r.queue(0, 0, time.Minute)
	cfg.Handle = ok
	w := r.worker(cfg)
	require.NoError(t, w.Close())
	for range 50 {
		for name, end := range ends() {
			require.NoError(t, end(w), name)
		}
	}
}
