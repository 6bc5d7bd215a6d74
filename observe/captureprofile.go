package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

// While block and mutex profiles are taken, one event is recorded per 10 µs of waiting,
// and one in 10 of those that waited for a lock.
const (
	blockRate     = 10_000
	mutexFraction = 10
)

// take writes the profiles, in the order of Profiles.
func (c *Captures) take(ctx context.Context, why string, d time.Duration, what []Profile) (files []string, err error) {
	var errs []error
	stem := c.store.stem(why, time.Now())
	write := func(p Profile, fill func(io.Writer) error) {
		file, err := c.store.write(stem, p, fill)
		if err != nil {
			errs = append(errs, fmt.Errorf("observe: %s: %w", p, err))
			return
		}
		files = append(files, file)
	}
	want := func(p Profile) bool { return slices.Contains(what, p) }
	if want(FlightRecording) {
		write(FlightRecording, c.recording)
	}
	if want(GoroutineProfile) {
		write(GoroutineProfile, lookup("goroutine"))
	}
	if want(HeapProfile) {
		write(HeapProfile, lookup("heap"))
	}
	restore := measure(want(BlockProfile), want(MutexProfile))
	measured := false
	if want(CPUProfile) {
		write(CPUProfile, func(w io.Writer) error {
			if err := pprof.StartCPUProfile(w); err != nil {
				return err
			}
			wait(ctx, d)
			pprof.StopCPUProfile()
			measured = true
			return nil
		})
	}
	if !measured && (want(BlockProfile) || want(MutexProfile)) {
		wait(ctx, d)
	}
	if want(BlockProfile) {
		write(BlockProfile, lookup("block"))
	}
	if want(MutexProfile) {
		write(MutexProfile, lookup("mutex"))
	}
	restore()
	return files, errors.Join(errs...)
}

// measure turns on what block and mutex profiles count. A block rate cannot be
// read: it is off afterwards. A mutex fraction that the program set is left alone.
func measure(block, mutex bool) (restore func()) {
	if block {
		runtime.SetBlockProfileRate(blockRate)
	}
	ours := mutex && runtime.SetMutexProfileFraction(-1) == 0
	if ours {
		runtime.SetMutexProfileFraction(mutexFraction)
	}
	return func() {
		if block {
			runtime.SetBlockProfileRate(0)
		}
		if ours {
			runtime.SetMutexProfileFraction(0)
		}
	}
}

func lookup(name string) func(io.Writer) error {
	return func(w io.Writer) error { return pprof.Lookup(name).WriteTo(w, 0) }
}

func (c *Captures) recording(w io.Writer) error {
	if c.flight == nil || !c.flight.Enabled() {
		return ErrNoRecorder
	}
	_, err := c.flight.WriteTo(w)
	return err
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
