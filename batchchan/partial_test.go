package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

var errBad = errors.New("bad row")

func TestItemErrors(t *testing.T) {
	var e batchchan.ItemErrors
	require.NoError(t, e.Err())
	require.Zero(t, e.Len())
	require.NoError(t, (*batchchan.ItemErrors)(nil).Err())
	require.NotEmpty(t, e.Error())
	e.Fail(3, nil)
	e.Retry(3, nil)
	require.NoError(t, e.Err(), "a nil error is none")
	other := errors.New("other")
	e.Fail(7, errBad)
	e.Retry(2, errBad)
	e.Fail(2, other) // the last counts
	require.Equal(t, 2, e.Len())
	e.Retry(5, errBad)
	var indexes []int
	for i, err := range e.All() {
		require.Error(t, err)
		indexes = append(indexes, i)
	}
	require.Equal(t, []int{2, 5, 7}, indexes)
	for range e.All() {
		break
	}
	require.ErrorIs(t, e.Err(), errBad)
	require.ErrorIs(t, e.Err(), other)
	require.ErrorContains(t, e.Err(), "3 items")
	require.ErrorContains(t, e.Err(), "item 2: other")
}

// failed is what OnError got.
type failed struct {
	mu    sync.Mutex
	calls [][]int
	errs  []error
}

func (f *failed) onError(_ context.Context, err error, items []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, slices.Clone(items))
	f.errs = append(f.errs, err)
}

// A processor's answers, and what is to come of them. Items are 0 to n-1.
func TestFailureOfAPart(t *testing.T) {
	refuse := func(bad ...int) func([]int) error {
		return func(items []int) error {
			for _, v := range items {
				if slices.Contains(bad, v) {
					return fmt.Errorf("insert: %w", errBad)
				}
			}
			return nil
		}
	}
	for _, c := range []struct {
		name  string
		n     int
		retry batchchan.Retry
		fn    func(calls int, items []int) error
		calls [][]int // the items of each call; nil: not looked at
		most  int     // calls
		fail  [][]int // the items of each call of OnError
	}{
		{
			name: "named items fail one by one, the others are done", n: 10,
			fn: func(_ int, items []int) error {
				var e batchchan.ItemErrors
				e.Fail(7, errBad)
				e.Fail(2, errBad)
				return fmt.Errorf("wrapped: %w", e.Err())
			},
			calls: [][]int{{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}}, fail: [][]int{{2}, {7}},
		},
		{
			name: "an empty ItemErrors is a success", n: 3,
			fn: func(int, []int) error { return new(batchchan.ItemErrors) }, calls: [][]int{{0, 1, 2}},
		},
		{
			name: "retryable items alone are tried again", n: 6, retry: batchchan.Retry{MaxAttempts: 3},
			fn: func(call int, items []int) error {
				var e batchchan.ItemErrors
				for i, v := range items {
					switch {
					case v == 4:
						e.Fail(i, errBad)
					case v == 1, v == 3 && call == 1:
						e.Retry(i, errBad)
					}
				}
				return e.Err()
			},
			calls: [][]int{{0, 1, 2, 3, 4, 5}, {1, 3}, {1}}, fail: [][]int{{4}, {1}},
		},
		{
			name: "a part, then all of the rest", n: 4, retry: batchchan.Retry{MaxAttempts: 3},
			fn: func(call int, items []int) error {
				if call > 1 {
					return errBad
				}
				var e batchchan.ItemErrors
				e.Retry(1, errBad)
				e.Retry(2, errBad)
				return e.Err()
			},
			calls: [][]int{{0, 1, 2, 3}, {1, 2}, {1, 2}}, fail: [][]int{{1, 2}},
		},
		{
			name: "without attempts a retryable item fails", n: 2,
			fn: func(int, []int) error {
				var e batchchan.ItemErrors
				e.Retry(0, errBad)
				return e.Err()
			},
			calls: [][]int{{0, 1}}, fail: [][]int{{0}},
		},
		{
			name: "an index outside the batch fails all", n: 3, retry: batchchan.Retry{MaxAttempts: 3, Split: true},
			fn: func(int, []int) error {
				var e batchchan.ItemErrors
				e.Fail(1, errBad)
				e.Fail(3, errBad)
				return e.Err()
			},
			calls: [][]int{{0, 1, 2}}, fail: [][]int{{0, 1, 2}},
		},
		{
			name: "a negative index fails all", n: 3,
			fn: func(int, []int) error {
				var e batchchan.ItemErrors
				e.Fail(-1, errBad)
				return e.Err()
			},
			calls: [][]int{{0, 1, 2}}, fail: [][]int{{0, 1, 2}},
		},
		{
			name: "split finds the bad one", n: 8, retry: batchchan.Retry{Split: true},
			fn:    func(_ int, items []int) error { return refuse(5)(items) },
			calls: [][]int{{0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3}, {4, 5, 6, 7}, {4, 5}, {4}, {5}, {6, 7}}, fail: [][]int{{5}},
		},
		{
			name: "split after the attempts", n: 2, retry: batchchan.Retry{Split: true, MaxAttempts: 2},
			fn:    func(_ int, items []int) error { return refuse(0)(items) },
			calls: [][]int{{0, 1}, {0, 1}, {0}, {1}}, fail: [][]int{{0}},
		},
		{
			name: "split at once where an attempt is useless", n: 2,
			retry: batchchan.Retry{Split: true, MaxAttempts: 5, Retryable: func(err error) bool { return !errors.Is(err, errBad) }},
			fn:    func(_ int, items []int) error { return refuse(0)(items) },
			calls: [][]int{{0, 1}, {0}, {1}}, fail: [][]int{{0}},
		},
		{
			name: "split of 100 with 4 bad ones", n: 100, retry: batchchan.Retry{Split: true},
			fn:   func(_ int, items []int) error { return refuse(3, 40, 41, 99)(items) },
			most: 64, fail: [][]int{{3}, {40}, {41}, {99}},
		},
		{
			name: "split keeps to MaxCalls", n: 8, retry: batchchan.Retry{Split: true, MaxCalls: 4},
			fn:    func(_ int, items []int) error { return refuse(0, 1, 2, 3, 4, 5, 6, 7)(items) },
			calls: [][]int{{0, 1, 2, 3, 4, 5, 6, 7}, {0, 1, 2, 3}, {0, 1}, {0}}, fail: [][]int{{0}, {1}, {2, 3}, {4, 5, 6, 7}},
		},
		{
			name: "split of panics", n: 4, retry: batchchan.Retry{Split: true, MaxAttempts: 9},
			fn: func(_ int, items []int) error {
				if refuse(2)(items) != nil {
					panic(errBad)
				}
				return nil
			},
			calls: [][]int{{0, 1, 2, 3}, {0, 1}, {2, 3}, {2}, {3}}, fail: [][]int{{2}},
		},
		{
			name: "a half that names its items", n: 4, retry: batchchan.Retry{Split: true},
			fn: func(call int, items []int) error {
				if call == 1 {
					return errBad
				}
				var e batchchan.ItemErrors
				e.Retry(1, errBad)
				return e.Err()
			},
			calls: [][]int{{0, 1, 2, 3}, {0, 1}, {2, 3}}, fail: [][]int{{1}, {3}},
		},
		{
			name: "Goexit in a half fails what is not settled", n: 4, retry: batchchan.Retry{Split: true},
			fn: func(call int, items []int) error {
				if call == 3 {
					runtime.Goexit()
				}
				return refuse(1, 3)(items)
			},
			calls: [][]int{{0, 1, 2, 3}, {0, 1}, {0}}, fail: [][]int{{0, 1, 2, 3}},
		},
	} {
		for _, detach := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, "/detach=", detach), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var f failed
					var calls, kept [][]int
					b, err := batchchan.New(batchchan.Config[int]{
						MaxBatch: c.n, Retry: c.retry, OnError: f.onError, DetachBatches: detach, Linger: -1,
					}, func(_ context.Context, items []int) error {
						calls = append(calls, slices.Clone(items))
						kept = append(kept, items)
						return c.fn(len(calls), items)
					})
					require.NoError(t, err)
					for i := range c.n {
						require.NoError(t, b.Send(bg, i))
					}
					err = b.Flush(bg)
					require.NoError(t, b.Flush(bg), "each failure is reported once")
					require.NoError(t, b.Close())
					if c.calls != nil {
						require.Equal(t, c.calls, calls)
					} else {
						require.LessOrEqual(t, len(calls), c.most)
					}
					if detach {
						require.Equal(t, calls, kept, "what the processor keeps is not written to")
					}
					require.Equal(t, c.fail, f.calls)
					n := 0
					for _, items := range c.fail {
						n += len(items)
					}
					s := b.Stats()
					require.EqualValues(t, n, s.Failed)
					require.EqualValues(t, c.n-n, s.Succeeded)
					require.EqualValues(t, len(calls)-1, s.Retried)
					if n == 0 {
						require.NoError(t, err)
						return
					}
					var e *batchchan.FailedError
					require.ErrorAs(t, err, &e)
					require.Equal(t, n, e.Items)
					require.Equal(t, f.errs[0], e.First)
				})
			})
		}
	}
}

// A batch of a run of small ones that fails in part leaves the others alone.
func TestFailureOfAPartWithinARun(t *testing.T) {
	var f failed
	gate := make(chan struct{})
	b, err := batchchan.New(batchchan.Config[int]{MaxBatch: 4, OnError: f.onError, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: 1}}, func(_ context.Context, items []int) error {
		<-gate
		var e batchchan.ItemErrors
		for i, v := range items {
			if v%7 == 0 {
				e.Retry(i, errBad)
			}
		}
		return e.Err()
	})
	require.NoError(t, err)
	for i := range 100 {
		require.NoError(t, b.Send(bg, i))
	}
	close(gate)
	var e *batchchan.FailedError
	require.ErrorAs(t, b.Close(), &e)
	require.Equal(t, 15, e.Items)
	require.Len(t, f.calls, 15)
	for i, items := range f.calls {
		require.Equal(t, []int{7 * i}, items)
	}
	require.EqualValues(t, 85, b.Stats().Succeeded)
}
