package batchchan_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func same(v int) int { return v }

// double answers with twice the request and counts what the backend sees.
type double struct {
	mu   sync.Mutex
	seen []int
	gate chan struct{} // nil: answers at once
	err  error
}

func (d *double) answer(_ context.Context, reqs []int, res []batchchan.Result[int]) error {
	d.mu.Lock()
	d.seen = append(d.seen, reqs...)
	d.mu.Unlock()
	if d.gate != nil {
		<-d.gate
	}
	for i, r := range reqs {
		res[i].Value = 2 * r
	}
	return d.err
}

// The room of a request whose Do has left is free at once; it counts as Cancelled,
// reaches neither backend nor OnError, and is not looked for.
func TestCallerRequestsWhoseDoLeftHoldNothing(t *testing.T) {
	for _, policy := range []batchchan.Overflow{batchchan.Block, batchchan.Reject, batchchan.DropNewest, batchchan.DropOldest} {
		for _, bytes := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				d := double{gate: make(chan struct{}), err: errors.New("down")}
				var hook, dropped []int
				cfg := batchchan.Config[int]{
					MaxBatch: 2, MaxPending: 4, Overflow: policy,
					OnError: func(_ context.Context, _ error, reqs []int) { hook = append(hook, reqs...) },
					OnDrop:  func(r int, _ batchchan.DropReason) { dropped = append(dropped, r) },
				}
				if bytes {
					cfg.SizeOf, cfg.MaxPendingBytes = func(int) int { return 10 }, 40
				}
				k, err := batchchan.NewCaller(cfg, d.answer)
				require.NoError(t, err)
				var wg sync.WaitGroup
				do := func(req int, d time.Duration) {
					wg.Go(func() {
						_, err := k.DoTimeout(req, d)
						if d < time.Minute {
							require.ErrorIs(t, err, batchchan.ErrTimeout)
						}
					})
					synctest.Wait()
				}
				do(0, time.Hour)
				for round := range 50 { // more than a sweep's worth
					for i := range 4 {
						do(100*round+i+1, time.Second)
					}
					require.Equal(t, 4, k.Stats().Pending)
					time.Sleep(2 * time.Second)
					synctest.Wait()
					require.Zero(t, k.Stats().Pending)
					require.Zero(t, k.Stats().PendingBytes)
					k.Validate(t, 1)
				}
				require.Empty(t, dropped)
				for i := range 4 {
					do(1000+i, time.Hour)
				}
				require.Equal(t, 4, k.Stats().Pending)
				close(d.gate)
				wg.Wait()
				require.NoError(t, k.Close(), "the answers went to Do")
				require.Equal(t, []int{0, 1000, 1001, 1002, 1003}, d.seen)
				require.Equal(t, d.seen, hook)
				s := k.Stats()
				require.EqualValues(t, 205, s.Accepted)
				require.EqualValues(t, 200, s.Cancelled)
				require.EqualValues(t, 5, s.Failed)
				checkQuiet(t, s.Stats)
				k.Validate(t, 0)
			})
		}
	}
}

// A sweep of the open batch throws out items that were in no batch yet: they were accepted
// all the same.
func TestAcceptedDoesNotGoBackWhenDosLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := double{}
		k := batchchan.Must(batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 150, Linger: time.Hour}, d.answer))
		accepted := uint64(0)
		for range 3 {
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(bg)
			for i := range 200 { // a batch that is full, and an open one
				wg.Go(func() { _, _ = k.Do(ctx, i) })
			}
			synctest.Wait()
			accepted += 200
			require.Equal(t, accepted, k.Stats().Accepted)
			cancel()
			wg.Wait()
			s := k.Stats()
			require.Equal(t, accepted, s.Accepted)
			checkQuiet(t, s.Stats)
			k.Validate(t, 0)
		}
		require.NoError(t, k.Close())
		require.Equal(t, accepted, k.Stats().Accepted)
	})
}

// Those that are among the living: the oldest that is dropped is one that is
// waited for, and blocked senders take the room of those that left.
func TestCallerLeftAmongTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := double{gate: make(chan struct{})}
		k, err := batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 2, MaxPending: 3, Overflow: batchchan.DropOldest}, d.answer)
		require.NoError(t, err)
		errs := make([]error, 10)
		var wg sync.WaitGroup
		do := func(i int, d time.Duration) {
			wg.Go(func() { _, errs[i] = k.DoTimeout(i, d) })
			synctest.Wait()
		}
		do(0, time.Hour)
		do(1, time.Second)
		do(2, time.Hour)
		do(3, time.Second)
		time.Sleep(2 * time.Second)
		do(4, time.Hour)
		do(5, time.Hour) // full again: 2, 4, 5
		do(6, time.Hour) // drops 2
		k.Validate(t, 1)
		close(d.gate)
		wg.Wait()
		require.NoError(t, k.Close())
		require.Equal(t, []int{0, 4, 5, 6}, d.seen)
		require.ErrorIs(t, errs[1], batchchan.ErrTimeout)
		require.ErrorIs(t, errs[2], batchchan.ErrDropped)
		require.ErrorIs(t, errs[3], batchchan.ErrTimeout)
		s := k.Stats()
		require.EqualValues(t, 2, s.Cancelled)
		require.EqualValues(t, 1, s.DroppedOldest)
		checkQuiet(t, s.Stats)
		k.Validate(t, 0)
	})
	synctest.Test(t, func(t *testing.T) {
		d := double{gate: make(chan struct{})}
		k, err := batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 2, MaxPending: 1}, d.answer)
		require.NoError(t, err)
		go k.Do(bg, 0)
		synctest.Wait()
		go k.DoTimeout(1, time.Second)
		synctest.Wait()
		done := make(chan error, 1)
		go func() { _, err := k.Do(bg, 2); done <- err }()
		synctest.Wait()
		require.Equal(t, 1, k.Stats().Waiting)
		time.Sleep(2 * time.Second)
		require.Zero(t, k.Stats().Waiting, "it has the room")
		require.Equal(t, 1, k.Stats().Pending)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		require.ErrorContains(t, k.Shutdown(ctx), "1 items undelivered, 1 in the processor", "those that left are not counted")
		require.ErrorIs(t, <-done, batchchan.ErrClosed)
		close(d.gate)
		<-k.Done()
		k.Validate(t, 0)
	})
}

func TestCallerDoInsideItsFunction(t *testing.T) {
	for _, merging := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var k *batchchan.Caller[int, int]
			fn := func(ctx context.Context, reqs []int, res []batchchan.Result[int]) error {
				for i := range reqs {
					sub, cancel := context.WithTimeout(ctx, time.Minute)
					_, res[i].Err = k.Do(sub, 1)
					cancel()
				}
				return nil
			}
			var err error
			if merging {
				k, err = batchchan.NewMergingCaller(batchchan.CallerConfig[int]{Config: batchchan.Config[int]{Workers: 3}}, same, fn)
			} else {
				k, err = batchchan.NewCaller(batchchan.Config[int]{Workers: 3}, fn)
			}
			require.NoError(t, err)
			_, err = k.Do(bg, 0)
			require.ErrorIs(t, err, batchchan.ErrInside)
			require.NoError(t, k.Close())
		})
	}
}

func TestCallerItemErrorsAnswerTheirRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("bad")
		var calls [][]int
		gate := make(chan struct{})
		k, err := batchchan.NewCaller(batchchan.Config[int]{MaxBatch: 6, Linger: time.Second, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: 30 * time.Second, NoJitter: true}},
			func(_ context.Context, reqs []int, res []batchchan.Result[int]) error {
				calls = append(calls, slices.Clone(reqs))
				var e batchchan.ItemErrors
				for i, r := range reqs {
					res[i].Value = 2 * r
					switch {
					case r == 1:
						e.Fail(i, bad)
					case (r == 2 || r == 4) && len(calls) == 1:
						e.Retry(i, bad)
					}
				}
				return e.Err()
			})
		require.NoError(t, err)
		errs := make([]error, 6)
		var at [6]time.Duration
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				d := time.Hour
				if i == 4 {
					d = 10 * time.Second // leaves between the attempts
				}
				var v int
				v, errs[i] = k.DoTimeout(i, d)
				if errs[i] == nil {
					require.Equal(t, 2*i, v)
				}
				at[i] = time.Since(start)
			})
			synctest.Wait()
		}
		wg.Wait()
		close(gate)
		require.NoError(t, k.Close())
		require.Equal(t, []error{nil, bad, nil, nil, batchchan.ErrTimeout, nil}, errs)
		require.Equal(t, [][]int{{0, 1, 2, 3, 4, 5}, {2}}, calls)
		require.Zero(t, at[0], "it does not wait for what is tried again")
		require.Equal(t, 30*time.Second, at[2])
		s := k.Stats()
		require.EqualValues(t, 2, s.Failed)
		require.EqualValues(t, 4, s.Succeeded)
		checkQuiet(t, s.Stats)
	})
}

// OnError gets a request that failed before the CallFunc had it, but not one whose Do
// had left by then.
func TestCallerOnErrorAndTheLimiter(t *testing.T) {
	for _, limit := range []error{nil, errEnd} {
		synctest.Test(t, func(t *testing.T) {
			gate := make(chan struct{})
			var got []int
			k := batchchan.Must(batchchan.NewCaller(batchchan.Config[int]{
				MaxBatch: 2, Linger: -1, RateLimit: endLimiter{func() error { <-gate; return limit }},
				OnError: func(_ context.Context, err error, reqs []int) {
					require.ErrorIs(t, err, errEnd)
					got = append(got, reqs...)
				},
			}, func(_ context.Context, reqs []int, _ []batchchan.Result[int]) error {
				require.Equal(t, []int{1}, reqs)
				return nil
			}))
			ctx, cancel := context.WithCancel(bg)
			done := make(chan error, 2)
			for req, ctx := range []context.Context{1: bg, 2: ctx} {
				if req > 0 {
					go func() { _, err := k.Do(ctx, req); done <- err }()
					synctest.Wait()
				}
			}
			cancel()
			require.ErrorIs(t, <-done, context.Canceled)
			close(gate)
			require.Equal(t, limit, <-done)
			require.NoError(t, k.Close())
			if limit == nil {
				require.Empty(t, got)
			} else {
				require.Equal(t, []int{1}, got)
			}
			k.Validate(t, 0)
		})
	}
}
