package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// WatcherConfig is what a [Watcher] is made of.
type WatcherConfig struct {
	// Registry is what is watched. It is required.
	Registry *Registry

	// Rules are checked in order at every sample. No two may have the same name.
	Rules []Rule

	// Interval is the time between two samples. 0: 1 s.
	Interval time.Duration

	// Window is the last part of time that distributions are summarised over, as in
	// [Sampler]. 0: 10 s.
	Window time.Duration

	// Captures takes the profiles that broken rules ask for. Nil: none are taken.
	Captures *Captures

	// Quiet is how long after the start of a capture no other is taken: an overload breaks
	// several rules at once. All of them are still reported. 0: 1 min; negative: no time.
	Quiet time.Duration

	// Logger gets a warning for every breach. Nil: slog.Default().
	Logger *slog.Logger

	// OnBreach is called when a breach was logged and its captures were taken, one call at
	// a time. The watcher may wait for it, so it should be quick. A panic in it is
	// contained and counted.
	OnBreach func(Breach)
}

// Breach is a rule that was broken.
type Breach struct {
	At    time.Time // when it was seen
	Rule  string    // its name
	What  string    // what was found
	Files []string  // the paths of what was captured
	Err   error     // why something could not be captured
}

// WatcherStats says what a [Watcher] did.
type WatcherStats struct {
	Samples         uint64 `json:"samples"`          // samples looked at
	Breaches        uint64 `json:"breaches"`         // breaches reported
	Captures        uint64 `json:"captures"`         // breaches with captured files
	CaptureFailures uint64 `json:"capture_failures"` // breaches of which not everything could be captured
	Dropped         uint64 `json:"dropped"`          // reports dropped, because 16 were waiting
	Panics          uint64 `json:"panics"`           // panics in rules and in OnBreach
	Capturing       bool   `json:"capturing"`        // a capture is being taken
}

// Watcher samples a registry and reports when a rule is broken: to a log, to a
// hook, and with profiles of the moment. Make it with [NewWatcher].
type Watcher struct {
	cfg     WatcherConfig
	reports chan report
	running atomic.Bool
	telling chan struct{} // holds one: the right to call OnBreach; a mutex would hold up a synctest bubble

	samples, breaches, captures, failures, dropped, panics atomic.Uint64
	capturing                                              atomic.Bool
}

type report struct{ rule, what string }

// NewWatcher returns a watcher that does nothing before [Watcher.Run]. It returns an
// error that names the field if the Registry is missing, a duration is negative,
// or a rule has no name or that of another.
func NewWatcher(cfg WatcherConfig) (*Watcher, error) {
	switch {
	case cfg.Registry == nil:
		return nil, errors.New("observe: WatcherConfig.Registry is nil")
	case cfg.Interval < 0:
		return nil, fmt.Errorf("observe: WatcherConfig.Interval is negative: %v", cfg.Interval)
	case cfg.Window < 0:
		return nil, fmt.Errorf("observe: WatcherConfig.Window is negative: %v", cfg.Window)
	}
	names := map[string]bool{}
	for i, r := range cfg.Rules {
		switch {
		case r.Name == "":
			return nil, fmt.Errorf("observe: WatcherConfig.Rules[%d] has no Name", i)
		case names[r.Name]:
			return nil, fmt.Errorf("observe: WatcherConfig.Rules has two named %q", r.Name)
		case r.For < 0, r.CoolDown < 0:
			return nil, fmt.Errorf("observe: rule %q has a negative duration", r.Name)
		}
		for _, p := range r.Take {
			if err := p.check(); err != nil {
				return nil, fmt.Errorf("%w (rule %q)", err, r.Name)
			}
		}
		names[r.Name] = true
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.Quiet == 0 {
		cfg.Quiet = time.Minute
	}
	return &Watcher{cfg: cfg, reports: make(chan report, 16), telling: make(chan struct{}, 1)}, nil
}

// Stats returns what the watcher did. It is a source like others: add it to the
// registry that is watched.
func (w *Watcher) Stats() WatcherStats {
	s := WatcherStats{
		Samples: w.samples.Load(), Captures: w.captures.Load(),
		CaptureFailures: w.failures.Load(), Dropped: w.dropped.Load(), Panics: w.panics.Load(), Capturing: w.capturing.Load(),
	}
	s.Breaches = w.breaches.Load() // after those of them with files
	return s
}

// Report breaks a rule from outside, at once: the rule's For does not apply, its
// CoolDown does. Call it from a hook, such as that for a suspected leak or a stalled
// task. It never blocks and may be called from any goroutine. A report without a rule of
// its name is logged and told each time, without captures. Up to 16 reports wait for Run;
// more are dropped.
func (w *Watcher) Report(rule, what string) {
	select {
	case w.reports <- report{rule, what}:
	default:
		w.dropped.Add(1)
	}
}

// Run watches until ctx ends. Then it cuts short a capture that is being taken, waits
// for it and returns ctx's error. While one Run is going on, another returns an error
// at once. A nil ctx panics.
func (w *Watcher) Run(ctx context.Context) error {
	ctxerr.NotNil(ctx, "observe")
	if !w.running.CompareAndSwap(false, true) {
		return errors.New("observe: Watcher.Run is going on already")
	}
	defer w.running.Store(false)
	run := watch{
		w: w, sampler: Sampler{Registry: w.cfg.Registry, Window: w.cfg.Window},
		states: make([]ruleState, len(w.cfg.Rules)),
	}
	defer run.busy.Wait()
	tick := time.NewTicker(w.cfg.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctxerr.From(ctx)
		case now := <-tick.C:
			run.look(ctx, now)
		case r := <-w.reports:
			run.reported(ctx, r, time.Now())
		}
	}
}

// watch is one Run.
type watch struct {
	w       *Watcher
	sampler Sampler
	states  []ruleState
	quiet   time.Time // until then no capture
	busy    sync.WaitGroup
}

// ruleState is what a rule remembers, told the time.
type ruleState struct {
	since  time.Time // since when it finds something; zero: it does not
	silent time.Time // until then it is not looked at
}

// found says whether a rule is broken now.
func (st *ruleState) found(r *Rule, what string, now time.Time) bool {
	if what == "" {
		st.since = time.Time{}
		return false
	}
	if st.since.IsZero() {
		st.since = now
	}
	if now.Sub(st.since) < r.For || now.Before(st.silent) {
		return false
	}
	st.coolDown(r, now)
	return true
}

func (st *ruleState) coolDown(r *Rule, now time.Time) {
	cool := r.CoolDown
	if cool == 0 {
		cool = 10 * time.Minute
	}
	st.since, st.silent = time.Time{}, now.Add(cool)
}

func (c *watch) look(ctx context.Context, now time.Time) {
	s := c.sampler.Sample(ctx, now)
	if ctx.Err() != nil {
		return
	}
	c.w.samples.Add(1)
	for i := range c.w.cfg.Rules {
		r := &c.w.cfg.Rules[i]
		if r.When == nil {
			continue
		}
		what := ""
		c.w.contain("rule "+r.Name, func() { what = r.When(s) })
		if c.states[i].found(r, what, now) {
			c.breach(ctx, r, Breach{At: now, Rule: r.Name, What: what})
		}
	}
}

func (c *watch) reported(ctx context.Context, rep report, now time.Time) {
	b := Breach{At: now, Rule: rep.rule, What: rep.what}
	for i := range c.w.cfg.Rules {
		if r := &c.w.cfg.Rules[i]; r.Name == rep.rule {
			if now.Before(c.states[i].silent) {
				return
			}
			c.states[i].coolDown(r, now)
			c.breach(ctx, r, b)
			return
		}
	}
	c.breach(ctx, &Rule{Name: rep.rule, Take: []Profile{}}, b)
}

// breach captures on a goroutine of its own, as it takes seconds, and reports when
// it is done. Breaches meanwhile are reported without captures.
func (c *watch) breach(ctx context.Context, r *Rule, b Breach) {
	w := c.w
	w.breaches.Add(1)
	take := r.Take
	if take == nil {
		take = DefaultProfiles()
	}
	if w.cfg.Captures == nil || len(take) == 0 || b.At.Before(c.quiet) || !w.capturing.CompareAndSwap(false, true) {
		w.tell(b)
		return
	}
	if w.cfg.Quiet > 0 {
		c.quiet = b.At.Add(w.cfg.Quiet)
	}
	c.busy.Go(func() {
		b.Files, b.Err = w.cfg.Captures.Take(ctx, r.Name, take...)
		if len(b.Files) > 0 {
			w.captures.Add(1)
		}
		if b.Err != nil {
			w.failures.Add(1)
		}
		w.capturing.Store(false)
		w.tell(b)
	})
}
