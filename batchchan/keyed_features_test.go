package batchchan_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
)

func TestKeyedStopOnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("bad")
		type call struct {
			items []int
			err   error
		}
		var calls []call
		var k *batchchan.Keyed[int, int]
		var inside error
		gate := make(chan struct{})
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{StopOnError: true, Config: batchchan.Config[int]{
			MaxBatch: 2, Workers: 2, MaxPending: 7, OnError: func(ctx context.Context, err error, items []int) {
				calls = append(calls, call{slices.Clone(items), err})
				if errors.Is(err, batchchan.ErrStopped) {
					inside = k.Send(ctx, 19)
				}
			},
		}}, func(v int) int { return v / 10 }, func(_ context.Context, _ int, items []int) error {
			<-gate
			var e batchchan.ItemErrors
			if i := slices.Index(items, 12); i >= 0 {
				e.Fail(i, bad)
			}
			return e.Err()
		})
		require.NoError(t, err)
		n, err := k.SendMany(bg, []int{10, 20, 11, 12, 13, 14, 21, 22})
		require.NoError(t, err)
		require.Equal(t, 8, n)
		synctest.Wait()
		require.NoError(t, k.Send(bg, 23))
		waits := make(chan error, 1)
		go func() { waits <- k.Send(bg, 15) }()
		synctest.Wait()
		flushed := make(chan error, 1)
		go func() { flushed <- k.Flush(bg) }()
		synctest.Wait()
		close(gate)
		err = <-flushed
		requireFailed(t, 3, err)
		require.ErrorIs(t, err, bad)
		require.Len(t, calls, 2)
		var ke *batchchan.KeyError[int]
		require.Equal(t, []int{12}, calls[0].items)
		require.ErrorAs(t, calls[0].err, &ke)
		require.Equal(t, 1, ke.Key)
		require.NotErrorIs(t, calls[0].err, batchchan.ErrStopped)
		require.ErrorIs(t, calls[1].err, batchchan.ErrStopped)
		require.ErrorIs(t, calls[1].err, bad)
		require.ErrorAs(t, calls[1].err, &ke)
		require.ErrorIs(t, inside, batchchan.ErrStopped)
		if err := <-waits; err == nil { // it found room before its key was stopped
			require.Equal(t, []int{13, 14, 15}[1:], calls[1].items[len(calls[1].items)-2:])
		} else {
			require.ErrorIs(t, err, batchchan.ErrStopped)
		}
		s := k.Stats()
		require.Equal(t, 1, s.StoppedKeys)
		require.EqualValues(t, 1, s.Failed)
		require.EqualValues(t, len(calls[1].items), s.Undelivered)
		checkQuiet(t, s.Stats)
		k.Validate(t, 0)
		require.ErrorIs(t, k.Send(bg, 16), batchchan.ErrStopped)
		require.NoError(t, k.Send(bg, 24), "other keys go on")
		require.False(t, k.Resume(2))
		require.True(t, k.Resume(1))
		require.False(t, k.Resume(1))
		require.NoError(t, k.Send(bg, 17))
		require.NoError(t, k.Flush(bg))
		require.NoError(t, k.Close())
		k.Validate(t, 0)
	})
	_, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{StopOnError: true}, func(v int) int { return v }, func(context.Context, int, []int) error { return nil })
	require.ErrorContains(t, err, "OnError")
}

// However the processor ends a batch that it fails, the key stops.
func TestKeyedStopOnErrorHoweverTheProcessorEnds(t *testing.T) {
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			var stopped []int
			k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{StopOnError: true, Config: batchchan.Config[int]{
				MaxBatch: 1, OnError: func(_ context.Context, err error, items []int) {
					if errors.Is(err, batchchan.ErrStopped) {
						stopped = append(stopped, items...)
					}
				},
			}}, func(int) int { return 0 }, func(context.Context, int, []int) error { return end.end() }))
			_, err := k.SendMany(bg, []int{1, 2, 3})
			if err != nil {
				require.ErrorIs(t, err, batchchan.ErrStopped) // the first had failed already
			}
			err = k.Flush(bg)
			if end.ok {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
				require.ErrorIs(t, k.Send(bg, 4), batchchan.ErrStopped)
			}
			require.NoError(t, k.Close())
			s := k.Stats()
			require.EqualValues(t, len(stopped), s.Undelivered)
			checkQuiet(t, s.Stats)
			k.Validate(t, 0)
		})
	}
}

// While the rest of a batch waits aside for its next attempt, a key of which an item has
// failed for good is not stopped yet: it takes items, and none of them is handed back.
// When the batch is through, however that ends, the key stops.
func TestKeyedStopOnErrorWhileTheRestIsAside(t *testing.T) {
	bad, again := errors.New("bad"), errors.New("again")
	type call struct {
		at      time.Duration
		items   []int
		stopped bool
	}
	first := call{0, []int{1}, false}       // failed for good
	second := call{time.Second, nil, false} // the rest of the batch, at its second attempt
	rest := call{time.Second, []int{4, 5}, true}
	for _, c := range []struct {
		name      string
		end       func() error // of the second attempt
		retryable bool         // the items that failed with the first
		max       int          // attempts
		failed    int
		want      []call
	}{
		{"succeeds", func() error { return nil }, true, 2, 1, []call{first, rest}},
		{"fails", func() error { return bad }, true, 2, 3, []call{first, {second.at, []int{2, 3}, false}, rest}},
		{"panics", func() error { panic(bad) }, true, 2, 3, []call{first, {second.at, []int{2, 3}, false}, rest}},
		{"Goexit", func() error { runtime.Goexit(); return nil }, true, 2, 3, []call{first, {second.at, []int{2, 3}, false}, rest}},
		{"fails in part", func() error { var e batchchan.ItemErrors; e.Fail(1, bad); return e.Err() }, true, 2, 2, []call{first, {second.at, []int{3}, false}, rest}},
		{
			"is retried again", func() error { var e batchchan.ItemErrors; e.Retry(0, again); return e.Err() }, true, 3, 2,
			[]call{first, {3 * time.Second, []int{2}, false}, {3 * time.Second, []int{4, 5}, true}},
		},
		{"is not there", nil, false, 2, 3, []call{first, {0, []int{2}, false}, {0, []int{3}, false}, {0, []int{4}, true}}},
	} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprint(c.name, "/", workers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					var calls []call
					gate := make(chan struct{})
					k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{StopOnError: true, Config: batchchan.Config[int]{
						MaxBatch: 3, Workers: workers, Retry: batchchan.Retry{MaxAttempts: c.max, Backoff: time.Second, NoJitter: true, MaxAside: 1},
						OnError: func(_ context.Context, err error, items []int) {
							calls = append(calls, call{time.Since(start), slices.Clone(items), errors.Is(err, batchchan.ErrStopped)})
						},
					}}, func(v int) int { return v / 100 }, func(_ context.Context, _ int, items []int) error {
						switch {
						case items[0] >= 100: // another key
							return nil
						case items[0] == 1:
							<-gate
							var e batchchan.ItemErrors
							e.Fail(0, bad)
							for i := range items[1:] {
								if c.retryable {
									e.Retry(i+1, again)
								} else {
									e.Fail(i+1, bad)
								}
							}
							return e.Err()
						case time.Since(start) < 2*time.Second:
							return c.end()
						}
						return again
					}))
					defer func() { _ = k.Close() }()
					_, err := k.SendMany(bg, []int{1, 2, 3, 4})
					require.NoError(t, err)
					close(gate)
					synctest.Wait()
					if c.retryable {
						require.Equal(t, []call{first}, calls)
						require.Zero(t, k.Stats().StoppedKeys)
						require.Equal(t, 1, k.Stats().Aside)
						require.NoError(t, k.Send(bg, 5), "the key takes items")
					} else {
						require.ErrorIs(t, k.Send(bg, 5), batchchan.ErrStopped)
					}
					require.NoError(t, k.Send(bg, 100))
					synctest.Wait()
					require.EqualValues(t, 1, k.Stats().Succeeded, "another key goes on")
					time.Sleep(time.Minute)
					synctest.Wait()
					require.Equal(t, c.want, calls)
					require.ErrorIs(t, k.Send(bg, 6), batchchan.ErrStopped)
					s := k.Stats()
					require.Equal(t, 1, s.StoppedKeys)
					require.EqualValues(t, c.failed, s.Failed)
					require.EqualValues(t, len(c.want[len(c.want)-1].items), s.Undelivered)
					require.Zero(t, s.Aside)
					checkQuiet(t, s.Stats)
					k.Validate(t, 0)
					requireFailed(t, c.failed+int(s.Undelivered), k.Close())
				})
			})
		}
	}
}

// A Shutdown that gives up while the rest of such a batch is aside hands back what
// waits of its key, and the rest fails: nothing is left for the key to hand to OnError.
func TestKeyedShutdownWhileAStoppingKeyIsAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var failed []int
		k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{StopOnError: true, Config: batchchan.Config[int]{
			MaxBatch: 2, Retry: batchchan.Retry{MaxAttempts: 2, Backoff: time.Hour, NoJitter: true, MaxAside: 1},
			OnError: func(_ context.Context, err error, items []int) {
				require.NotErrorIs(t, err, batchchan.ErrStopped)
				failed = append(failed, items...)
			},
		}}, func(int) int { return 0 }, func(context.Context, int, []int) error {
			var e batchchan.ItemErrors
			e.Fail(0, errEnd)
			e.Retry(1, errEnd)
			return e.Err()
		}))
		defer func() { _ = k.Close() }()
		_, err := k.SendMany(bg, []int{1, 2, 3})
		require.NoError(t, err)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Second)
		defer cancel()
		rest, err := k.Shutdown(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, []int{3}, rest)
		<-k.Done()
		require.Equal(t, []int{1, 2}, failed)
		s := k.Stats()
		require.EqualValues(t, 2, s.Failed)
		require.EqualValues(t, 1, s.Undelivered)
		checkQuiet(t, s.Stats)
		k.Validate(t, 0)
	})
}

// The room of what waited of a stopped key is there for others at once, not when OnError
// has returned.
func TestKeyedStopGivesRoomAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{StopOnError: true, Config: batchchan.Config[int]{
			MaxBatch: 1, MaxPending: 2, Workers: 2, OnError: func(_ context.Context, err error, _ []int) {
				if errors.Is(err, batchchan.ErrStopped) {
					time.Sleep(time.Hour)
				}
			},
		}}, func(v int) int { return v / 10 }, func(_ context.Context, _ int, items []int) error {
			time.Sleep(time.Second)
			if items[0] < 10 {
				return errEnd
			}
			time.Sleep(time.Hour)
			return nil
		}))
		start := time.Now()
		require.NoError(t, k.Send(bg, 10))
		_, err := k.SendMany(bg, []int{1, 2, 3})
		require.NoError(t, err)
		require.NoError(t, k.Send(bg, 11))
		require.Equal(t, time.Second, time.Since(start))
		require.Error(t, k.Close())
		k.Validate(t, 0)
	})
}

// A key whose next batch became due while it was in the processor is ready at once:
// the timer is not set for what is due already.
func TestKeyedTimerIsNotSetForWhatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := batchchan.Must(batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: batchchan.Config[int]{Linger: time.Second}}, func(int) int { return 0 }, func(context.Context, int, []int) error {
			time.Sleep(10 * time.Second)
			return nil
		}))
		rings := 0
		k.OnRing(func() { rings++ })
		for range 3 {
			require.NoError(t, k.Send(bg, 1))
			time.Sleep(2 * time.Second)
		}
		time.Sleep(time.Minute)
		require.Equal(t, 1, rings, "for the first")
		require.EqualValues(t, 2, k.Stats().FlushedLinger)
		require.NoError(t, k.Close())
	})
}
