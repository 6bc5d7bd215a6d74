package locks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/locks"
)

// ctxForm is an operation that takes a ctx.
type ctxForm struct {
	hold func() (release func()) // makes it wait
	lock func(context.Context) error
	free func() bool // asks whether nothing is held
}

// ctxForms are all of the package, of locks that nobody uses.
func ctxForms() map[string]ctxForm {
	forms := map[string]ctxForm{}
	for mode, bias := range map[string]bool{"word": false, "striped": true} {
		rw := new(locks.RWMutex)
		if bias {
			locks.EnableBias(rw)
		}
		free := func() bool { return rw.TryLock() && func() bool { rw.Unlock(); return true }() }
		writer := func() func() { rw.Lock(); return rw.Unlock }
		reader := func() func() { rw.RLock(); return rw.RUnlock }
		forms["LockContext behind a writer, "+mode] = ctxForm{writer, rw.LockContext, free}
		forms["LockContext behind a reader, "+mode] = ctxForm{reader, rw.LockContext, free}
		forms["RLockContext, "+mode] = ctxForm{writer, rw.RLockContext, free}
		forms["Upgrade, "+mode] = ctxForm{reader, func(ctx context.Context) error {
			rw.RLock()
			err := rw.Upgrade(ctx)
			rw.RUnlock() // which it holds as before
			return err
		}, free}
	}
	m := new(locks.SpinMutex)
	forms["SpinMutex"] = ctxForm{
		func() func() { m.Lock(); return m.Unlock }, m.LockContext,
		func() bool { return m.TryLock() && func() bool { m.Unlock(); return true }() },
	}
	k := new(locks.Keyed[int])
	key := func() func() { return k.Lock(1).Unlock }
	free := func() bool { return k.Len() == 0 }
	forms["Keyed.LockContext"] = ctxForm{key, func(ctx context.Context) error { _, err := k.LockContext(ctx, 1); return err }, free}
	forms["Keyed.RLockContext"] = ctxForm{key, func(ctx context.Context) error { _, err := k.RLockContext(ctx, 1); return err }, free}
	forms["Keyed.LockManyContext"] = ctxForm{key, func(ctx context.Context) error { _, err := k.LockManyContext(ctx, 0, 1, 2); return err }, free}
	forms["Keyed.RLockManyContext"] = ctxForm{key, func(ctx context.Context) error { _, err := k.RLockManyContext(ctx, 0, 1, 2); return err }, free}
	return forms
}

// ownCtx is a ctx of a type that package context does not know.
type ownCtx struct {
	context.Context
	err error
}

func (c ownCtx) Err() error {
	if c.Context.Err() != nil {
		return c.err
	}
	return nil
}

// TestEveryCtxFormSaysWhyItsCtxEnded: by each way that a ctx can end, after a second,
// while the operation waits and before it is called.
func TestEveryCtxFormSaysWhyItsCtxEnded(t *testing.T) {
	why := errors.New("why")
	own := errors.New("own")
	causing := func(parent context.Context, cause error) context.Context {
		ctx, cancel := context.WithCancelCause(parent)
		time.AfterFunc(time.Second, func() { cancel(cause) })
		return ctx
	}
	ends := map[string]struct {
		ctx  func(t *testing.T) context.Context
		want []error
		not  []error
	}{
		"cancel": {func(t *testing.T) context.Context {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			return ctx
		}, []error{context.Canceled}, []error{why, context.DeadlineExceeded}},
		"cancel with a cause":     {func(t *testing.T) context.Context { return causing(t.Context(), why) }, []error{context.Canceled, why}, []error{context.DeadlineExceeded}},
		"cancel with a nil cause": {func(t *testing.T) context.Context { return causing(t.Context(), nil) }, []error{context.Canceled}, []error{why}},
		"a parent's cancel with a cause": {func(t *testing.T) context.Context {
			ctx, cancel := context.WithCancel(causing(t.Context(), why))
			context.AfterFunc(ctx, cancel)
			return ctx
		}, []error{context.Canceled, why}, nil},
		"deadline": {func(t *testing.T) context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			context.AfterFunc(ctx, cancel)
			return ctx
		}, []error{context.DeadlineExceeded}, []error{why, context.Canceled}},
		"deadline with a cause": {func(t *testing.T) context.Context {
			ctx, cancel := context.WithDeadlineCause(t.Context(), time.Now().Add(time.Second), why)
			context.AfterFunc(ctx, cancel)
			return ctx
		}, []error{context.DeadlineExceeded, why}, []error{context.Canceled}},
		"a ctx of another kind": {func(t *testing.T) context.Context {
			return ownCtx{causing(t.Context(), why), own}
		}, []error{own}, []error{context.DeadlineExceeded}},
	}
	for form := range ctxForms() {
		t.Run(form, func(t *testing.T) {
			for end, e := range ends {
				synctest.Test(t, func(t *testing.T) {
					f := ctxForms()[form] // made in the bubble
					check := func(err error) {
						t.Helper()
						for _, want := range e.want {
							require.ErrorIs(t, err, want, end)
						}
						for _, not := range e.not {
							require.NotErrorIs(t, err, not, end)
						}
					}
					ctx := e.ctx(t)
					release := f.hold()
					start := time.Now()
					check(f.lock(ctx))
					require.Equal(t, time.Second, time.Since(start), end)
					check(f.lock(ctx))
					require.Equal(t, time.Second, time.Since(start), end)
					release()
					require.True(t, f.free(), end)
					check(f.lock(ctx)) // a ctx that is done wins over a free lock
					require.True(t, f.free(), end)
				})
			}
			require.PanicsWithValue(t, "locks: nil Context", func() { ctxForms()[form].lock(nil) })
		})
	}
}
