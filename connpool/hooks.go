package connpool

import "runtime/debug"

// Hooks are functions that the pool calls at events. Each may be nil. They run
// outside every lock of the pool, several may run at once, and a panic in one is
// contained and counted in Stats.Panics. They must not call Close or Shutdown of
// the same pool, which wait for them.
//
// Acquired and Released run in the borrower's goroutine and cost every loan their
// own time plus about 100 ns; the others run in the background.
type Hooks[C any] struct {
	// Dialed is told of each new connection, before it is lent.
	Dialed func(C, Info)
	// DialFailed is told of each dial that failed.
	DialFailed func(error)
	// Acquired is told of each loan, before Acquire returns it.
	Acquired func(C, Info)
	// Released is told of each loan that ends by Release, before it does.
	Released func(C, Info)
	// CheckFailed is told of each Check or Reset that failed.
	CheckFailed func(C, Info, error)
	// Closed is told of each connection that was closed, with the reason in Info
	// and the error: Destroy's cause, the failed Check's, or that of Close.
	Closed func(C, Info, error)
	// Leaked is told once of each loan that lasts longer than LeakAfter.
	Leaked func(C, Info)
	// Breaker is told when the circuit breaker changes state.
	Breaker func(BreakerState)
}

// contain runs f. Of a panic in it, *err becomes a [*PanicError] and the caller goes
// on. A Goexit cannot be stopped: *err becomes errGoexit, and the goroutine ends
// after its deferred calls.
func (p *Pool[C]) contain(name string, err *error, f func()) {
	done := false
	defer func() {
		if done {
			return
		}
		p.panics.Add(1)
		if v := recover(); v != nil {
			*err = &PanicError{Func: name, Value: v, Stack: debug.Stack()}
			return
		}
		*err = errGoexit
	}()
	f()
	done = true
}

// hook runs a hook that is not nil, and contains its panic.
func (p *Pool[C]) hook(name string, f func()) {
	var err error
	p.contain(name, &err, f)
}

// hookApart is hook for one of several calls in a row: a Goexit in f ends a
// goroutine of its own, and the calls behind it are made.
func (p *Pool[C]) hookApart(name string, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.hook(name, f)
	}()
	<-done
}
