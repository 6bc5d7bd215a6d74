package batchchan_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// badError is an error of which some methods do not return.
type badError struct {
	as, unwrap, text func()
}

func (e *badError) Error() string {
	if e.text != nil {
		e.text()
	}
	return "bad"
}

func (e *badError) As(any) bool {
	if e.as != nil {
		e.as()
	}
	return false
}

func (e *badError) Is(error) bool {
	if e.as != nil {
		e.as()
	}
	return false
}

func (e *badError) Unwrap() error {
	if e.unwrap != nil {
		e.unwrap()
	}
	return nil
}

// badErrors are errors that a worker must outlive.
func badErrors() map[string]error {
	all := map[string]error{}
	for name, end := range map[string]func(){"panics": func() { panic("method") }, "Goexits": runtime.Goexit} {
		all["As "+name] = &badError{as: end}
		all["Unwrap "+name] = &badError{unwrap: end}
		all["Error "+name] = &badError{text: end}
		all["all "+name] = &badError{end, end, end}
		all["joined "+name] = errors.Join(errors.New("good"), &badError{end, end, end})
		var items batchchan.ItemErrors
		items.Fail(99, &badError{end, end, end})
		all["ItemErrors out of bounds "+name] = items.Err()
	}
	return all
}

// badSubject is an instance of which item 0 fails with a bad error, and item 1 not.
type badSubject struct {
	send  func(int) error
	flush func() error
	close func() error
	stats func() batchchan.Stats
}

// Whatever the methods of an error do that a processor returns, the items have one
// outcome, OnError gets the error, the worker goes on and Flush returns.
func TestErrorsWhoseMethodsDoNotReturn(t *testing.T) {
	for name, bad := range badErrors() {
		for _, retry := range []struct {
			name string
			r    batchchan.Retry
		}{
			{"no retry", batchchan.Retry{}},
			{"retry", batchchan.Retry{MaxAttempts: 3}},
			{"split", batchchan.Retry{Split: true}},
			{"aside", batchchan.Retry{MaxAttempts: 2, MaxAside: 1}},
		} {
			for kind, newSubject := range map[string]func(cfg batchchan.Config[int], bad error) badSubject{
				"Batcher": newBadBatcher, "Keyed": newBadKeyed, "stopping Keyed": newBadStopping, "Pipe": newBadPipe,
			} {
				if kind == "Pipe" && retry.r.MaxAside > 0 {
					continue
				}
				t.Run(kind+"/"+retry.name+"/"+name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var mu sync.Mutex
						failed := 0
						s := newSubject(batchchan.Config[int]{MaxBatch: 2, Linger: time.Second, Retry: retry.r, OnError: func(_ context.Context, err error, items []int) {
							mu.Lock()
							defer mu.Unlock()
							if !errors.Is(noMethods(err), batchchan.ErrStopped) {
								failed += len(items)
							}
						}}, bad)
						require.NoError(t, s.send(0))
						require.NoError(t, s.send(0))
						require.Error(t, s.flush())
						st := s.stats()
						require.EqualValues(t, 2, st.Failed)
						require.Equal(t, 2, failed)
						require.Zero(t, st.Pending+st.InFlight+st.Aside)
						require.NoError(t, s.send(1))
						require.NoError(t, s.flush())
						require.EqualValues(t, 1, s.stats().Succeeded)
						require.NoError(t, s.close())
					})
				})
			}
		}
	}
}

// noMethods returns err without what may not return: the stopped key's error is one of
// several in an Unwrap() []error, the first.
func noMethods(err error) error {
	var k *batchchan.KeyError[int]
	if k, _ = err.(*batchchan.KeyError[int]); k == nil { //nolint:errorlint // the subject
		return nil
	}
	if m, ok := k.Err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the subject
		return m.Unwrap()[0]
	}
	return nil
}

func badFunc(items []int, bad error) error {
	if items[0] == 0 {
		return bad
	}
	return nil
}

func newBadBatcher(cfg batchchan.Config[int], bad error) badSubject {
	b := batchchan.Must(batchchan.New(cfg, func(_ context.Context, items []int) error { return badFunc(items, bad) }))
	return badSubject{
		func(v int) error { return b.Send(bg, v) },
		func() error { return b.Flush(bg) }, b.Close, b.Stats,
	}
}

func newBadPipe(cfg batchchan.Config[int], bad error) badSubject {
	p := batchchan.Must(batchchan.NewPipe(batchchan.PipeConfig[int]{Config: cfg, MaxResults: 9}, func(_ context.Context, in, out []int) ([]int, error) {
		return append(out, in...), badFunc(in, bad)
	}))
	return badSubject{
		func(v int) error { return p.Send(bg, v) },
		func() error { return p.Flush(bg) }, p.Close, p.Stats,
	}
}

func newBadKeyed(cfg batchchan.Config[int], bad error) badSubject {
	return badKeyed(batchchan.KeyedConfig[int]{Config: cfg}, bad)
}

func newBadStopping(cfg batchchan.Config[int], bad error) badSubject {
	return badKeyed(batchchan.KeyedConfig[int]{Config: cfg, StopOnError: true}, bad)
}

func badKeyed(cfg batchchan.KeyedConfig[int], bad error) badSubject {
	k := batchchan.Must(batchchan.NewKeyed(cfg, func(v int) int { return v }, func(_ context.Context, _ int, items []int) error {
		return badFunc(items, bad)
	}))
	return badSubject{
		func(v int) error { return k.Send(bg, v) },
		func() error { return k.Flush(bg) }, k.Close,
		func() batchchan.Stats { return k.Stats().Stats },
	}
}

// What waits of a key that a bad error has stopped is handed to OnError.
func TestStoppedKeyHandsTheRestBackWhateverTheErrorDoes(t *testing.T) {
	for name, bad := range badErrors() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rest := 0
				k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{StopOnError: true, Config: batchchan.Config[int]{
					MaxBatch: 1, OnError: func(_ context.Context, err error, items []int) {
						if noMethods(err) == batchchan.ErrStopped { //nolint:errorlint // the subject
							rest += len(items)
						}
					},
				}}, func(int) int { return 0 }, func(context.Context, int, []int) error {
					time.Sleep(time.Second)
					return bad
				}))
				n, err := k.SendMany(bg, []int{1, 2, 3})
				require.NoError(t, err)
				require.Equal(t, 3, n)
				require.Error(t, k.Flush(bg))
				require.Equal(t, 2, rest)
				require.NoError(t, k.Close())
			})
		})
	}
}

// A Caller's requests get the error as it is.
func TestCallerErrorsWhoseMethodsDoNotReturn(t *testing.T) {
	for name, bad := range badErrors() {
		t.Run(name, func(t *testing.T) {
			c := batchchan.Must(batchchan.NewCaller(batchchan.Config[int]{}, func(_ context.Context, reqs []int, results []batchchan.Result[int]) error {
				return badFunc(reqs, bad)
			}))
			_, err := c.Do(bg, 0)
			require.True(t, err != nil)
			_, err = c.Do(bg, 1)
			require.NoError(t, err)
			require.NoError(t, c.Close())
		})
	}
}

func TestItemErrorsText(t *testing.T) {
	var e batchchan.ItemErrors
	require.Equal(t, "batchchan: no item failed", e.Error())
	e.Fail(4, errors.New("bad"))
	require.Equal(t, "batchchan: item 4 failed: bad", e.Error())
	e.Fail(2, errors.New("worse"))
	require.Equal(t, "batchchan: 2 items failed, the first is item 2: worse", e.Error())
}
