package workerpool

import (
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/poundlock/poundlock/internal/panics"
)

// panicError is a task's panic as the user gets it.
func (c *core[T]) panicError(what, label string, how *fate) *PanicError {
	return &panics.Error{Package: "workerpool", Name: c.cfg.Name, Func: what, Label: label, Value: how.value, Stack: how.stack}
}

// tellPanic calls the user's handler of a task's panic and contains its own.
func (c *core[T]) tellPanic(how *fate) {
	e := c.panicError("task", "", how)
	if c.cfg.OnPanic == nil {
		c.logPanic(e)
		return
	}
	c.callback("OnPanic", func() { c.cfg.OnPanic(e) })
}

// callback calls a function of Config, contains its panic and books it.
func (c *core[T]) callback(name string, f func()) {
	var how fate
	defer func() {
		if how.kind == panicked {
			c.books.handlerPanics.Add(1)
			c.logPanic(c.panicError(name, "", &how))
		}
	}()
	contain(&how, f)
}

func (c *core[T]) logPanic(e *PanicError) {
	if n, ok := c.logged.admit(c.clock.now()); ok {
		text := fmt.Sprintf("%+v", e)
		if n > 0 {
			text = fmt.Sprintf("%s\n(and %d panics more since the last one in the log)", text, n)
		}
		log.Print(text)
	}
}

// panicLog keeps panics that nobody handles from flooding the log: a few at once,
// then one in logEvery. The others are only counted.
type panicLog struct {
	mu      sync.Mutex
	begun   int64 // guarded by mu; when the present logEvery began
	inIt    int   // guarded by mu; how many it has had
	skipped int   // guarded by mu; since the last that was admitted
}

const (
	logEvery = int64(10 * time.Second)
	logBurst = 5 // per logEvery
)

// admit reports whether a panic at the time now is logged, and how many were not
// since the last one that was.
func (l *panicLog) admit(now int64) (skipped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inIt == 0 || now-l.begun >= logEvery {
		l.begun, l.inIt = now, 0
	}
	if l.inIt == logBurst {
		l.skipped++
		return 0, false
	}
	l.inIt++
	skipped, l.skipped = l.skipped, 0
	return skipped, true
}
