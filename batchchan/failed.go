package batchchan

import (
	"errors"
	"fmt"
	"sync"
)

// FailedError is what Flush, Close and Shutdown return when items have failed for good
// since the last FailedError. Every failure is reported once: of several calls at the
// same time one gets it. It wraps the error of the first item.
type FailedError struct {
	Name  string // Config.Name
	Items int    // how many items failed
	First error  // why the first of them did
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("%s%d items failed, the first: %v", prefix(e.Name), e.Items, e.First)
}

func (e *FailedError) Unwrap() error { return e.First }

// ShutdownError is what Shutdown returns when its ctx ended before everything was
// processed. It wraps ctx's cause and, if items have failed since the last report,
// a *FailedError.
type ShutdownError struct {
	Name        string // Config.Name
	Undelivered int    // items that never reached the processor; Shutdown returned them
	Running     int    // items that are in the processor, whose context was cancelled
	Cause       error  // why ctx ended
	Failed      error  // a *FailedError, or nil
}

func (e *ShutdownError) Error() string {
	s := fmt.Sprintf("%sshutdown cut short: %d items undelivered, %d in the processor: %v", prefix(e.Name), e.Undelivered, e.Running, e.Cause)
	if e.Failed != nil {
		s += "; " + e.Failed.Error()
	}
	return s
}

func (e *ShutdownError) Unwrap() []error {
	if e.Failed == nil {
		return []error{e.Cause}
	}
	return []error{e.Cause, e.Failed}
}

// KeyError is the error that [Keyed] gives to Config.OnError, and that its Flush,
// Close and Shutdown wrap: it says with which key the items failed.
type KeyError[K comparable] struct {
	Name string // Config.Name
	Key  K      // the items' key
	Err  error  // why they failed
}

func (e *KeyError[K]) Error() string {
	return fmt.Sprintf("%skey %v: %v", prefix(e.Name), e.Key, e.Err)
}

func (e *KeyError[K]) Unwrap() error { return e.Err }

// prefix is what the text of an error begins with that knows its instance.
func prefix(name string) string {
	if name == "" {
		return "batchchan: "
	}
	return fmt.Sprintf("batchchan: %q: ", name)
}

// failures adds up what failed since the last report.
type failures struct {
	name  string // Config.Name
	mu    sync.Mutex
	n     int
	first error
}

func (f *failures) add(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		f.first = err
	}
	f.n += n
}

// take returns a *FailedError, or nil, and starts anew.
func (f *failures) take() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		return nil
	}
	err := &FailedError{f.name, f.n, f.first}
	f.n, f.first = 0, nil
	return err
}

// or returns err with what failed since the last report.
func (f *failures) or(err error) error {
	failed := f.take()
	if err == nil {
		return failed
	}
	var s *ShutdownError
	if errors.As(err, &s) {
		s.Failed = failed
	}
	return err
}
