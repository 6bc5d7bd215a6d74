package connpool

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// functions is the part of a pool that calls the functions of its Config.
type functions struct {
	name   string          // of the pool
	ctx    context.Context // ends when the pool closes
	panics atomic.Uint64
}

// contain runs f, the function of Config that name says. A panic in f becomes *err,
// a [*PanicError], and the caller goes on. A Goexit cannot be stopped: *err becomes
// errGoexit, and the goroutine ends after its deferred calls.
func (fs *functions) contain(name string, err *error, f func()) {
	done := false
	defer func() {
		if done {
			return
		}
		fs.panics.Add(1)
		if v := recover(); v != nil {
			*err = &PanicError{Package: "connpool", Name: fs.name, Func: name, Value: v, Stack: debug.Stack()}
			return
		}
		*err = errGoexit
	}()
	f()
	done = true
}

// timeout returns a ctx that ends after d, if d is not 0, or with the pool.
func (fs *functions) timeout(d time.Duration) (context.Context, context.CancelFunc) {
	if d > 0 {
		return context.WithTimeout(fs.ctx, d)
	}
	return fs.ctx, func() {}
}

// hook runs a hook that is not nil, and contains its panic.
func (fs *functions) hook(name string, f func()) {
	var err error
	fs.contain(name, &err, f)
}

// hookApart is hook for one of several calls in a row: a Goexit in f ends a
// goroutine of its own, and the calls behind it are made.
func (fs *functions) hookApart(name string, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fs.hook(name, f)
	}()
	<-done
}
