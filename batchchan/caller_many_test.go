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
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

// manyBackend doubles numbers, refuses those that end in 3, and notes its calls.
type manyBackend struct {
	mu    sync.Mutex
	calls [][]int
	delay time.Duration
}

var errThree = errors.New("ends in three")

func (b *manyBackend) answer(ctx context.Context, reqs []int, results []batchchan.Result[int]) error {
	b.mu.Lock()
	b.calls = append(b.calls, slices.Clone(reqs))
	b.mu.Unlock()
	select {
	case <-time.After(b.delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	for i, r := range reqs {
		results[i].Value = 2 * r
		if r%10 == 3 {
			results[i] = batchchan.Result[int]{Err: errThree}
		}
	}
	return nil
}

// manyKinds are the ways to make a Caller that DoMany must work with.
var manyKinds = []struct {
	name    string
	merging bool
	set     func(*batchchan.CallerConfig[int])
	single  bool // requests go one by one
}{
	{name: "plain"},
	{name: "linger", set: func(c *batchchan.CallerConfig[int]) { c.Linger = time.Second }},
	{name: "sized", single: true, set: func(c *batchchan.CallerConfig[int]) {
		c.MaxBytes, c.SizeOf = 1000, func(int) int { return 1 }
	}},
	{name: "caller runs", single: true, set: func(c *batchchan.CallerConfig[int]) { c.Overflow = batchchan.CallerRuns }},
	{name: "merging", merging: true},
	{name: "merging sized", merging: true, single: true, set: func(c *batchchan.CallerConfig[int]) {
		c.MaxBytes, c.SizeOf = 1000, func(int) int { return 1 }
	}},
	{name: "merging with a cache", merging: true, set: func(c *batchchan.CallerConfig[int]) { c.CacheFor = time.Hour }},
}

func eachManyKind(t *testing.T, cfg batchchan.CallerConfig[int], b *manyBackend, f func(t *testing.T, c *batchchan.Caller[int, int], single, merging bool)) {
	for _, kind := range manyKinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := cfg
				if kind.set != nil {
					kind.set(&cfg)
				}
				b.calls = nil
				var c *batchchan.Caller[int, int]
				if kind.merging {
					c = batchchan.Must(batchchan.NewMergingCaller(cfg, func(r int) int { return r }, b.answer))
				} else {
					c = batchchan.Must(batchchan.NewCaller(cfg.Config, b.answer))
				}
				f(t, c, kind.single, kind.merging)
				require.NoError(t, c.Close())
				s := c.Stats()
				require.Zero(t, s.Pending+s.InFlight+s.Waiting)
				require.Equal(t, s.Accepted, s.Delivered+s.Dropped()+s.Undelivered+s.Cancelled)
			})
		})
	}
}

func requireAnswers(t *testing.T, reqs []int, results []batchchan.Result[int]) {
	t.Helper()
	require.Len(t, results, len(reqs))
	for i, r := range reqs {
		if r%10 == 3 {
			require.Equal(t, batchchan.Result[int]{Err: errThree}, results[i], "request %d", r)
		} else {
			require.Equal(t, batchchan.Result[int]{Value: 2 * r}, results[i], "request %d", r)
		}
	}
}

func TestDoManyAnswersEachInOrder(t *testing.T) {
	b := &manyBackend{delay: time.Millisecond}
	eachManyKind(t, batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxBatch: 10}}, b, func(t *testing.T, c *batchchan.Caller[int, int], single, _ bool) {
		require.Empty(t, c.DoMany(bg, nil))
		requireAnswers(t, upTo(25), c.DoMany(bg, upTo(25)))
		if !single {
			require.Equal(t, [][]int{upTo(10), upTo(20)[10:], upTo(25)[20:]}, b.calls, "as few batches as can be")
		}
		require.Equal(t, upTo(25), slices.Concat(b.calls...))
	})
}

// More requests than there is room for are sent as room comes.
func TestDoManyOfMoreThanThereIsRoomFor(t *testing.T) {
	b := &manyBackend{delay: time.Millisecond}
	eachManyKind(t, batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxBatch: 2, MaxPending: 4}}, b, func(t *testing.T, c *batchchan.Caller[int, int], _, _ bool) {
		var wg sync.WaitGroup
		for k := range 3 {
			wg.Go(func() {
				reqs := make([]int, 50)
				for i := range reqs {
					reqs[i] = k*1000 + i
				}
				requireAnswers(t, reqs, c.DoMany(bg, reqs))
			})
		}
		wg.Wait()
	})
}

func TestDoManyMergesEqualRequests(t *testing.T) {
	b := &manyBackend{delay: time.Second}
	eachManyKind(t, batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxBatch: 100}}, b, func(t *testing.T, c *batchchan.Caller[int, int], _, merging bool) {
		if !merging {
			return
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			res, err := c.Do(bg, 7)
			require.NoError(t, err)
			require.Equal(t, 14, res)
		})
		synctest.Wait() // 7 is with the backend
		reqs := []int{1, 7, 2, 1, 3, 3, 1}
		requireAnswers(t, reqs, c.DoMany(bg, reqs))
		wg.Wait()
		require.Equal(t, []int{7, 1, 2, 3}, slices.Concat(b.calls...))
		s := c.Stats()
		require.EqualValues(t, 4, s.Merged)
		require.EqualValues(t, 4, s.Accepted)
		hits := s.CacheHits
		requireAnswers(t, []int{1, 2}, c.DoMany(bg, []int{1, 2}))
		if n := c.Stats().CacheHits; n > hits {
			require.EqualValues(t, 2, n)
			require.Len(t, slices.Concat(b.calls...), 4, "the cache has them")
		}
	})
}

// When ctx ends, what was answered stays; the rest gets its error, gives its room back,
// and never reaches the backend if it has not been taken.
func TestDoManyKeepsWhatWasAnsweredWhenCtxEnds(t *testing.T) {
	b := &manyBackend{delay: time.Second}
	cause := errors.New("enough")
	eachManyKind(t, batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxBatch: 2, MaxPending: 6}}, b, func(t *testing.T, c *batchchan.Caller[int, int], single, _ bool) {
		ctx, cancel := context.WithTimeoutCause(bg, 2500*time.Millisecond, cause)
		defer cancel()
		reqs := []int{0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12}
		results := c.DoMany(ctx, reqs)
		answered := 0
		for i, r := range results {
			if r.Err == nil {
				require.Equal(t, 2*reqs[i], r.Value)
				require.Equal(t, answered, i, "the first ones")
				answered++
				continue
			}
			require.ErrorIs(t, r.Err, context.DeadlineExceeded)
			require.ErrorIs(t, r.Err, cause)
		}
		require.Positive(t, answered)
		require.Less(t, answered, len(reqs))
		if !single {
			require.GreaterOrEqual(t, answered, 2)
		}
		time.Sleep(time.Minute)
		require.Zero(t, c.Stats().Pending)
		require.Less(t, len(slices.Concat(b.calls...)), len(reqs), "some never reached the backend")
		requireAnswers(t, []int{20, 21}, c.DoMany(bg, []int{20, 21}))
	})
}

func TestDoManyWithCtxThatHasEnded(t *testing.T) {
	b := &manyBackend{}
	eachManyKind(t, batchchan.CallerConfig[int]{}, b, func(t *testing.T, c *batchchan.Caller[int, int], _, _ bool) {
		ctx, cancel := context.WithCancel(bg)
		cancel()
		for _, r := range c.DoMany(ctx, upTo(3)) {
			require.ErrorIs(t, r.Err, context.Canceled)
		}
		require.Empty(t, b.calls)
		var none context.Context
		require.PanicsWithValue(t, "batchchan: nil Context", func() { c.DoMany(none, upTo(1)) })
	})
}

func TestDoManyAndClose(t *testing.T) {
	b := &manyBackend{delay: time.Second}
	eachManyKind(t, batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxBatch: 2, MaxPending: 4}}, b, func(t *testing.T, c *batchchan.Caller[int, int], _, _ bool) {
		done := make(chan []batchchan.Result[int])
		reqs := upTo(30)
		go func() { done <- c.DoMany(bg, reqs) }()
		time.Sleep(time.Second / 2)
		require.NoError(t, c.Close())
		results := <-done
		closed := 0
		for i, r := range results {
			if errors.Is(r.Err, batchchan.ErrClosed) {
				closed++
				continue
			}
			require.Zero(t, closed, "the first were accepted")
			requireAnswers(t, reqs[i:i+1], results[i:i+1])
		}
		require.Positive(t, closed)
		require.Less(t, closed, len(reqs))
		for _, r := range c.DoMany(bg, []int{100, 101}) {
			require.ErrorIs(t, r.Err, batchchan.ErrClosed)
		}
	})
}

func TestDoManyAndShutdown(t *testing.T) {
	b := &manyBackend{delay: time.Hour}
	eachManyKind(t, batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxBatch: 2}}, b, func(t *testing.T, c *batchchan.Caller[int, int], _, _ bool) {
		done := make(chan []batchchan.Result[int])
		go func() { done <- c.DoMany(bg, upTo(9)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		require.Error(t, c.Shutdown(ctx))
		for _, r := range <-done { // those with the backend got its error
			require.True(t, errors.Is(r.Err, batchchan.ErrClosed) || errors.Is(r.Err, context.Canceled), "%v", r.Err)
		}
	})
}

func TestDoManyInsideAndOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *batchchan.Caller[int, int]
		var inside []batchchan.Result[int]
		gate := make(chan struct{})
		c = batchchan.Must(batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 1, MaxPending: 2, Overflow: batchchan.Reject},
			func(ctx context.Context, reqs []int, results []batchchan.Result[int]) error {
				inside = c.DoMany(ctx, upTo(2))
				<-gate
				results[0].Value = reqs[0]
				return nil
			}))
		go func() { _, _ = c.Do(bg, 0) }()
		synctest.Wait()
		require.Len(t, inside, 2)
		for _, r := range inside {
			require.ErrorIs(t, r.Err, batchchan.ErrInside)
		}
		done := make(chan []batchchan.Result[int])
		go func() { done <- c.DoMany(bg, []int{1, 2, 3, 4}) }()
		synctest.Wait()
		close(gate)
		results := <-done
		require.Equal(t, []batchchan.Result[int]{{Value: 1}, {Value: 2}}, results[:2])
		require.ErrorIs(t, results[2].Err, batchchan.ErrFull)
		require.ErrorIs(t, results[3].Err, batchchan.ErrFull)
		require.NoError(t, c.Close())
	})
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		c := batchchan.Must(batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 1, MaxPending: 1, Overflow: batchchan.DropOldest},
			func(_ context.Context, reqs []int, results []batchchan.Result[int]) error {
				<-gate
				results[0].Value = reqs[0]
				return nil
			}))
		go func() { _, _ = c.Do(bg, 0) }() // else the worker may take one of the three in between
		synctest.Wait()
		done := make(chan []batchchan.Result[int])
		go func() { done <- c.DoMany(bg, []int{1, 2, 3}) }()
		synctest.Wait()
		close(gate)
		results := <-done
		require.ErrorIs(t, results[0].Err, batchchan.ErrDropped)
		require.ErrorIs(t, results[1].Err, batchchan.ErrDropped)
		require.Equal(t, batchchan.Result[int]{Value: 3}, results[2])
		require.NoError(t, c.Close())
	})
}

func TestDoManyWithABadKey(t *testing.T) {
	c := batchchan.Must(batchchan.NewMergingCaller(batchchan.CallerConfig[any]{}, func(r any) any { return r },
		func(_ context.Context, reqs []any, results []batchchan.Result[any]) error {
			for i := range reqs {
				results[i].Value = reqs[i]
			}
			return nil
		}))
	results := c.DoMany(bg, []any{1, []int{2}, "3"})
	require.Equal(t, 1, results[0].Value)
	require.ErrorIs(t, results[1].Err, batchchan.ErrBadKey)
	require.Equal(t, "3", results[2].Value)
	require.NoError(t, c.Close())
}

// A function of the user that ends a DoMany leaves nobody waiting for its requests.
func TestDoManyThatAUserFunctionEnds(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("size") }, "Goexit": runtime.Goexit} {
		for _, merging := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/merging=%v", name, merging), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := &manyBackend{delay: time.Second}
					cfg := batchchan.CallerConfig[int]{Config: batchchan.Config[int]{MaxBatch: 10, MaxBytes: 100, SizeOf: func(r int) int {
						if r == 5 {
							end()
						}
						return 1
					}}}
					c := batchchan.Must(batchchan.NewCaller(cfg.Config, b.answer))
					if merging {
						c = batchchan.Must(batchchan.NewMergingCaller(cfg, func(r int) int { return r }, b.answer))
					}
					over := make(chan struct{})
					go func() {
						defer close(over)
						defer func() { _ = recover() }()
						c.DoMany(bg, []int{1, 2, 1, 5, 6, 7})
					}()
					<-over
					var wg sync.WaitGroup
					for _, r := range []int{1, 2, 6, 7} { // also those that it was to send
						wg.Go(func() {
							res, err := c.Do(bg, r)
							require.NoError(t, err)
							require.Equal(t, 2*r, res)
						})
					}
					wg.Wait()
					require.NoError(t, c.Close())
					s := c.Stats()
					require.Zero(t, s.Pending+s.InFlight)
				})
			})
		}
	}
}

func ExampleCaller_DoMany() {
	names := map[int]string{1: "ada", 2: "bob"}
	c := batchchan.Must(batchchan.NewCaller(batchchan.Config[int]{},
		func(_ context.Context, ids []int, results []batchchan.Result[string]) error {
			for i, id := range ids { // one query for all of them
				name, ok := names[id]
				if !ok {
					results[i].Err = errors.New("no such user")
				}
				results[i].Value = name
			}
			return nil
		}))
	for _, r := range c.DoMany(context.Background(), []int{2, 3, 1}) {
		fmt.Println(r.Value, r.Err)
	}
	_ = c.Close()
	// Output:
	// bob <nil>
	//  no such user
	// ada <nil>
}
