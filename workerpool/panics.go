package workerpool

import (
	"fmt"
	"log"
	"sync"
	"sync/atomic"
	"time"

	"github.com/poundlock/poundlock/internal/panics"
)

// reports is how a pool reaches the user's functions in Config: the handlers of panics
// and dropped tasks, and those of the Monitor. Whatever they do, the caller goes on.
type reports struct {
	name    string // Config.Name
	onPanic func(*PanicError)
	onDrop  func(DroppedTask)
	now     func() int64 // the pool's clock

	panics atomic.Uint64 // of the user's functions
	log    panicLog
}

// panicError is a panic as the user gets it.
func (r *reports) panicError(what, label string, how *fate) *PanicError {
	return &panics.Error{Package: "workerpool", Name: r.name, Func: what, Label: label, Value: how.value, Stack: how.stack}
}

// panicked reports a task's panic to OnPanic, or prints it.
func (r *reports) panicked(how *fate) {
	e := r.panicError("task", "", how)
	if r.onPanic == nil {
		r.print(e)
		return
	}
	r.callback("OnPanic", func() { r.onPanic(e) })
}

// dropped reports a task that will not run to OnDrop.
func (r *reports) dropped(d DroppedTask) {
	if r.onDrop != nil {
		r.callback("OnDrop", func() { r.onDrop(d) })
	}
}

// allDropped is dropped for each of ds, also where one call ends the goroutine.
func (r *reports) allDropped(ds []DroppedTask) {
	next := 0
	defer func() {
		if next < len(ds) {
			r.allDropped(ds[next:])
		}
	}()
	for next < len(ds) {
		next++
		r.dropped(ds[next-1])
	}
}

// callback calls one of the user's functions; it contains its panic and counts it.
func (r *reports) callback(name string, f func()) {
	var how fate
	defer func() {
		if how.kind == panicked {
			r.panics.Add(1)
			r.print(r.panicError(name, "", &how))
		}
	}()
	contain(&how, f)
}

// print writes e to the log, unless that has had enough of them.
func (r *reports) print(e *PanicError) {
	if n, ok := r.log.admit(r.now()); ok {
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
