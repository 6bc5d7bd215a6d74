package connpool

import "runtime/debug"

// contain runs f, the function of Config that name says. A panic in f becomes *err,
// a [*PanicError], and the caller goes on. A Goexit cannot be stopped: *err becomes
// errGoexit, and the goroutine ends after its deferred calls.
func (p *Pool[C]) contain(name string, err *error, f func()) {
	done := false
	defer func() {
		if done {
			return
		}
		p.panics.Add(1)
		if v := recover(); v != nil {
			*err = &PanicError{Package: "connpool", Name: p.cfg.Name, Func: name, Value: v, Stack: debug.Stack()}
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
