package observe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/trace"
	"slices"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Profile names something that [Captures] can take.
type Profile string

// The profiles.
const (
	CPUProfile       Profile = "cpu"       // where the time of the following seconds goes
	HeapProfile      Profile = "heap"      // what is in use, and what was allocated
	GoroutineProfile Profile = "goroutine" // the stacks of all goroutines
	BlockProfile     Profile = "block"     // where goroutines wait during the following seconds
	MutexProfile     Profile = "mutex"     // which locks make goroutines wait during the following seconds
	FlightRecording  Profile = "flight"    // an execution trace of the seconds before
)

// Profiles returns all of them in the order in which they are taken: first the past
// and the moment, last what is measured for a while.
func Profiles() []Profile {
	return []Profile{FlightRecording, GoroutineProfile, HeapProfile, CPUProfile, BlockProfile, MutexProfile}
}

// DefaultProfiles returns what a [Rule] takes that names nothing: all but block and
// mutex profiles, which slow the program down while they are measured.
func DefaultProfiles() []Profile {
	return []Profile{FlightRecording, GoroutineProfile, HeapProfile, CPUProfile}
}

func (p Profile) check() error {
	if !slices.Contains(Profiles(), p) {
		return fmt.Errorf("observe: there is no profile %q", string(p))
	}
	return nil
}

var (
	// ErrBusy says that a capture is being taken already.
	ErrBusy = errors.New("observe: a capture is being taken")

	// ErrClosed says that the Captures were closed.
	ErrClosed = errors.New("observe: closed")

	// ErrTooLarge says that a profile would be larger than all files together may be.
	ErrTooLarge = errors.New("observe: capture is larger than MaxBytes")

	// ErrNoRecorder says that no flight recorder is running.
	ErrNoRecorder = errors.New("observe: no flight recorder is running")
)

// CapturesConfig is what [Captures] are made of.
type CapturesConfig struct {
	// Dir is where the files go. It is required, and made if it does not exist.
	Dir string

	// MaxFiles and MaxBytes bound what is kept in Dir; the oldest go first. Other files in
	// Dir are neither counted nor touched. 0: 50 files, 100 MiB.
	MaxFiles int
	MaxBytes int64

	// Duration is how long CPU, block and mutex profiles are measured. 0: 5 s.
	Duration time.Duration

	// Flight is how much of the past a flight recording has, at least. The recorder runs
	// from NewCaptures to Close, keeps its data in memory and takes a few percent of the
	// CPU. A program has one recorder at a time. 0: none.
	Flight time.Duration

	// FlightBytes bounds the recorder's memory. 0: Go's default.
	FlightBytes uint64
}

// Captures writes profiles to a directory that stays small. One capture is taken at a
// time. A file appears under its name when it is complete. All methods are safe
// for concurrent use.
type Captures struct {
	cfg    CapturesConfig
	flight *trace.FlightRecorder // nil: none
	store  *store

	mu     sync.Mutex
	closed bool               // guarded by mu
	status CaptureStatus      // guarded by mu
	stop   context.CancelFunc // of the capture that is being taken; guarded by mu
	done   chan struct{}      // closed when that capture has ended; guarded by mu
}

// CaptureStatus says what is being captured.
type CaptureStatus struct {
	Running bool      `json:"running"`         // a capture is being taken
	Why     string    `json:"why,omitempty"`   // of the last capture: the rule or the caller's reason
	Since   time.Time `json:"since"`           // when it began; zero: there was none
	Until   time.Time `json:"until"`           // when it ended; zero while it is taken
	Files   []string  `json:"files,omitempty"` // what it wrote
	Error   string    `json:"error,omitempty"` // what it could not take
}

// NewCaptures makes the directory, removes what a crash left half written in it and
// starts the flight recorder. It returns an error if a number is negative, the
// directory cannot be written, or a flight recorder runs already.
func NewCaptures(cfg CapturesConfig) (*Captures, error) {
	switch {
	case cfg.Dir == "":
		return nil, errors.New("observe: CapturesConfig.Dir is empty")
	case cfg.MaxFiles < 0:
		return nil, fmt.Errorf("observe: CapturesConfig.MaxFiles is negative: %d", cfg.MaxFiles)
	case cfg.MaxBytes < 0:
		return nil, fmt.Errorf("observe: CapturesConfig.MaxBytes is negative: %d", cfg.MaxBytes)
	case cfg.Duration < 0 || cfg.Flight < 0:
		return nil, fmt.Errorf("observe: a duration of CapturesConfig is negative: %v, %v", cfg.Duration, cfg.Flight)
	}
	if cfg.MaxFiles == 0 {
		cfg.MaxFiles = 50
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 100 << 20
	}
	if cfg.Duration == 0 {
		cfg.Duration = 5 * time.Second
	}
	st, err := openStore(cfg.Dir, cfg.MaxFiles, cfg.MaxBytes)
	if err != nil {
		return nil, err
	}
	c := &Captures{cfg: cfg, store: st}
	if cfg.Flight > 0 {
		c.flight = trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: cfg.Flight, MaxBytes: cfg.FlightBytes})
		if err := c.flight.Start(); err != nil {
			return nil, fmt.Errorf("observe: flight recorder: %w", err)
		}
	}
	return c, nil
}

// Take takes profiles, all of Profiles if none is named, and returns the files that
// it wrote. What cannot be taken, such as a CPU profile while another one runs, is
// in the error; the rest is taken all the same. why becomes part of the files' names.
// When ctx ends, profiles that take time are cut short. It returns ErrBusy while
// another capture is being taken, and ErrClosed after Close. A nil ctx panics.
func (c *Captures) Take(ctx context.Context, why string, what ...Profile) (files []string, err error) {
	ctxerr.NotNil(ctx, "observe")
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := c.begin(stop, why, what); err != nil {
		return nil, err
	}
	return c.run(ctx, why, c.cfg.Duration, what)
}

// Start begins a capture and returns; duration 0 is that of the configuration.
// Otherwise it is like Take.
func (c *Captures) Start(why string, duration time.Duration, what ...Profile) error {
	ctx, stop := context.WithCancel(context.Background())
	if err := c.begin(stop, why, what); err != nil {
		stop()
		return err
	}
	if duration <= 0 {
		duration = c.cfg.Duration
	}
	go func() {
		defer stop()
		_, _ = c.run(ctx, why, duration, what) // the status has both
	}()
	return nil
}

// Stop cuts short the capture that is being taken, waits until it is written and
// returns its status. Without one it returns that of the last.
func (c *Captures) Stop() CaptureStatus {
	c.mu.Lock()
	stop, done := c.stop, c.done
	c.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
	return c.Status()
}

// Status returns what is being captured, or the last capture.
func (c *Captures) Status() CaptureStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Close refuses further captures, cuts short the one that is being taken, waits for
// it, and stops the flight recorder. The files stay. It may be called again.
func (c *Captures) Close() error {
	c.mu.Lock()
	was := c.closed
	c.closed = true
	c.mu.Unlock()
	c.Stop()
	if !was && c.flight != nil {
		c.flight.Stop()
	}
	return nil
}

// List returns the files, the newest first.
func (c *Captures) List() ([]CaptureFile, error) { return c.store.list() }

// Open opens a file of List by its name. The error of a name that is not there, or
// is no capture's, is fs.ErrNotExist.
func (c *Captures) Open(name string) (*os.File, error) { return c.store.open(name) }

func (c *Captures) begin(stop context.CancelFunc, why string, what []Profile) error {
	for _, p := range what {
		if err := p.check(); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.status.Running:
		return ErrBusy
	}
	c.stop, c.done = stop, make(chan struct{})
	c.status = CaptureStatus{Running: true, Why: why, Since: time.Now()}
	return nil
}

func (c *Captures) run(ctx context.Context, why string, d time.Duration, what []Profile) (files []string, err error) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.status.Running, c.status.Until, c.status.Files = false, time.Now(), files
		if err != nil {
			c.status.Error = err.Error()
		}
		close(c.done)
		c.stop, c.done = nil, nil
	}()
	if len(what) == 0 {
		what = Profiles()
		if c.flight == nil {
			what = what[1:]
		}
	}
	return c.take(ctx, why, d, what)
}
