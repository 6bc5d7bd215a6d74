package lockfree

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// What comes about between the last failed try and the registration has no
// signaller: the waiter must look once more.
func TestWaiterLooksAgainAfterRegistering(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	var w waiters
	tries := 0
	no := func() bool { return false }
	require.NoError(t, w.await(ctx, func() bool { tries++; return tries > yields }, no, no))
	require.Zero(t, w.unclaimed.Load())
	require.Zero(t, w.waits.Load())
}

// lateCtx ends without waking those who wait for it, as if the signal had come first.
type lateCtx struct {
	context.Context
	ended atomic.Bool
}

func (c *lateCtx) Err() error {
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}

// A waiter that gets its signal and its cancellation at once passes the signal on.
func TestSignalOfACancelledWaiterIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w waiters
		var ready atomic.Bool
		no := func() bool { return false }
		errs := make(chan error, 2)
		late := &lateCtx{Context: context.Background()}
		go func() { errs <- w.await(late, no, no, no) }()
		synctest.Wait()
		go func() { errs <- w.await(t.Context(), ready.Load, no, no) }()
		synctest.Wait()
		late.ended.Store(true)
		ready.Store(true)
		w.wake(1)
		synctest.Wait()
		require.Len(t, errs, 2)
		require.ElementsMatch(t, []error{context.Canceled, nil}, []error{<-errs, <-errs})
	})
}

// A signaller claims nobody if its waiter leaves in between, or if another signals
// the same waiter. The orders of these steps, one by one.
func TestUnclaimedSignalIsTakenBack(t *testing.T) {
	send := func(w *waiters) { w.channel() <- struct{}{} }
	receive := func(w *waiters) { <-w.channel() }
	join := func(w *waiters) { w.unclaimed.Add(1) }
	settle := func(w *waiters) { w.settle() }
	for name, steps := range map[string][]func(*waiters){
		"the waiter leaves between signal and claim":      {join, send, settle, settle},
		"two signals for a waiter that leaves":            {join, send, send, settle, settle, settle},
		"two signals for a waiter that takes one":         {join, send, send, receive, settle, settle},
		"two signals, one of them settled, then received": {join, send, send, settle, receive, settle},
		"two waiters, one leaves":                         {join, join, send, send, settle, receive, settle, settle},
		"one more joins before the second settles":        {join, send, send, settle, join, settle, receive, receive},
	} {
		var w waiters
		for _, f := range steps {
			f(&w)
		}
		require.Zero(t, w.unclaimed.Load(), name)
		require.Empty(t, w.channel(), name)
	}
}
