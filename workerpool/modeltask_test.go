package workerpool_test

import (
	"context"
	"errors"

	"github.com/poundlock/poundlock/workerpool"
)

// modelTask is one submission: what became of it in the model, and a record of
// what the pool did.
type modelTask struct {
	id       int
	kind     kind
	priority int
	view     *modelView

	placed   bool  // has a place in its view
	forced   bool  // accepted by its view before it came to the pool
	runs     bool  // was started
	inCaller bool  // by its submitter
	done     bool  // its result is known
	err      error // the result, if done

	gate   chan ending // tells the running task how to end
	cancel context.CancelFunc
	result chan error // of the submission; gets one value
}

type kind int

const (
	plain kind = iota
	future
	do
	grouped
)

// hasResult tells the kinds that have a ctx and a result from plain functions.
func (t *modelTask) hasResult() bool { return t.kind != plain }

type ending int

const (
	returns ending = iota
	fails
	panics
	goexits
)

var errEnded = errors.New("the goroutine ended")

func (t *modelTask) accepted() {
	if t.kind == plain {
		t.done = true
	}
}

// settled gives t, which will not run, its result.
func (t *modelTask) settled(err error) {
	if !t.done {
		t.done, t.err = true, err
	}
}

func (t *modelTask) finished(how ending) {
	if t.done {
		return
	}
	t.done = true
	switch {
	case t.kind == plain: // ran in its caller
		if how == goexits {
			t.err = errEnded
		}
	case how == fails:
		t.err = errBoom
	case how == panics:
		t.err = errBoom // a PanicError wraps it
	case how == goexits:
		t.err = workerpool.ErrGoexit
	}
}
