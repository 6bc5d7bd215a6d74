package locks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// guarded is data that is torn if two writers, or a writer and a reader, are
// inside at once.
type guarded struct {
	a, b    uint64
	_       [120]byte
	c       uint64
	readers atomic.Int64
	writers atomic.Int64
}

func (g *guarded) write(t *testing.T) {
	if w, r := g.writers.Add(1), g.readers.Load(); w != 1 || r != 0 {
		t.Errorf("%d writers and %d readers inside", w, r)
	}
	g.a++
	g.b++
	g.c++
	g.writers.Add(-1)
}

func (g *guarded) read(t *testing.T) {
	g.readers.Add(1)
	if w := g.writers.Load(); w != 0 {
		t.Errorf("%d writers inside with a reader", w)
	}
	if a, b, c := g.a, g.b, g.c; a != b || b != c {
		t.Errorf("torn: %d %d %d", a, b, c)
	}
	g.readers.Add(-1)
}

// TestExactCountsUnderMixes runs all operations beside each other, with modes
// switching under them, and compares every count with what was done.
func TestExactCountsUnderMixes(t *testing.T) {
	for _, writes := range []int{0, 1, 10, 50, 100} {
		t.Run(fmt.Sprintf("writes=%d%%", writes), func(t *testing.T) {
			forEachProcs(t, func(t *testing.T) { mixAll(t, writes) })
		})
	}
}

func mixAll(t *testing.T, writePercent int) {
	var rw RWMutex
	var g guarded
	var reads, writes, canceled atomic.Uint64
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for i := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 7))
			var r, w, c uint64
			for range scaled(4000) {
				if rng.IntN(100) < writePercent {
					ok := true
					switch rng.IntN(6) {
					case 0:
						ok = rw.TryLock()
					case 1:
						d := time.Duration(rng.IntN(20)) * time.Microsecond
						if ok = rw.LockTimeout(d); !ok && d > 0 {
							c++
						}
					case 2:
						soon, stop := context.WithTimeout(context.Background(), time.Duration(rng.IntN(20))*time.Microsecond)
						ok = rw.LockContext(soon) == nil
						stop()
					case 3:
						ok = rw.LockContext(ctx) == nil
					default:
						rw.Lock()
					}
					if !ok {
						continue
					}
					w++
					g.write(t)
					if rng.IntN(4) > 0 {
						rw.Unlock()
						continue
					}
					rw.Downgrade()
					r++
					g.read(t)
					if rng.IntN(2) == 0 && rw.TryUpgrade() {
						w++
						g.write(t)
						rw.Unlock()
						continue
					}
					rw.RUnlock()
					continue
				}
				ok := true
				switch rng.IntN(5) {
				case 0:
					ok = rw.TryRLock()
				case 1:
					ok = rw.RLockTimeout(time.Duration(rng.IntN(20)) * time.Microsecond)
				case 2:
					ok = rw.RLockContext(context.Background()) == nil
				default:
					rw.RLock()
				}
				if !ok {
					continue
				}
				r++
				g.read(t)
				switch {
				case rng.IntN(50) == 0:
					// Unlocked by another goroutine, perhaps in another mode.
					done := make(chan struct{})
					go func() { rw.RUnlock(); close(done) }()
					<-done
				default:
					rw.RUnlock()
				}
			}
			reads.Add(r)
			writes.Add(w)
			canceled.Add(c)
		})
	}
	stop := make(chan struct{})
	disabled := uint64(0)
	var side sync.WaitGroup
	side.Go(func() {
		for on := true; ; on = !on {
			select {
			case <-stop:
				return
			default:
			}
			if on {
				enableBias(&rw)
			} else if writePercent > 0 {
				disableBias(&rw)
				disabled++
			}
			for range 20 {
				runtime.Gosched()
			}
			st := rw.Stats()
			if st.ActiveReaders < 0 || st.ReadContended > st.Reads || st.WriteContended > st.Writes || st.Contention > 1 {
				t.Errorf("inconsistent: %+v", st)
			}
		}
	})
	within(t, time.Minute, wg.Wait)
	close(stop)
	within(t, time.Minute, side.Wait)
	st := rw.Stats()
	require.Equal(t, reads.Load(), st.Reads)
	require.Equal(t, writes.Load()+disabled, st.Writes)
	require.GreaterOrEqual(t, st.Canceled, canceled.Load())
	require.Equal(t, writes.Load(), g.a)
	checkIdle(t, &rw)
	rw.Lock()
	rw.Unlock()
}

// TestExclusionAcrossModeSwitches is a plain hammer while bias comes and goes.
func TestExclusionAcrossModeSwitches(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		var rw RWMutex
		var g guarded
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for j := range scaled(20_000) {
					if (i+j)%16 == 0 {
						rw.Lock()
						g.write(t)
						rw.Unlock()
					} else {
						rw.RLock()
						g.read(t)
						rw.RUnlock()
					}
				}
			})
		}
		var stop atomic.Bool
		disabled := uint64(0)
		var side sync.WaitGroup
		side.Go(func() {
			for !stop.Load() {
				enableBias(&rw)
				runtime.Gosched()
				disableBias(&rw)
				disabled++
			}
		})
		within(t, time.Minute, wg.Wait)
		stop.Store(true)
		side.Wait()
		require.Equal(t, g.a+disabled, rw.Stats().Writes)
		checkIdle(t, &rw)
	})
}

func TestLockInOneModeUnlockInAnother(t *testing.T) {
	withProcs(t, 2)
	var rw RWMutex
	rw.RLock() // word
	require.True(t, enableBias(&rw))
	rw.RLock() // stripe
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // another thread, another stripe
		defer runtime.UnlockOSThread()
		rw.RUnlock()
		close(done)
	}()
	<-done
	require.EqualValues(t, 1, rw.Stats().ActiveReaders)
	require.False(t, rw.TryLock(), "one reader is left")
	rw.RUnlock()
	require.True(t, rw.TryLock())
	rw.Downgrade() // to a reader in the word, with bias
	require.False(t, rw.TryLock())
	rw.RUnlock() // leaves by a stripe
	disableBias(&rw)
	rw.RLock()
	rw.RUnlock()
	require.EqualValues(t, 4, rw.Stats().Reads)
	checkIdle(t, &rw)
}

func TestMoreProcsWhileBiased(t *testing.T) {
	withProcs(t, 1)
	var rw RWMutex
	enableBias(&rw)
	runtime.GOMAXPROCS(16)
	var g guarded
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range scaled(2000) {
				if (i+j)%100 == 0 {
					rw.Lock()
					g.write(t)
					rw.Unlock()
				} else {
					rw.RLock()
					g.read(t)
					rw.RUnlock()
				}
			}
		})
	}
	within(t, time.Minute, wg.Wait)
	require.EqualValues(t, 32*scaled(2000), rw.Stats().Reads+rw.Stats().Writes)
	checkIdle(t, &rw)
}

// TestCountersOverflow goes over every packed counter several times.
func TestCountersOverflow(t *testing.T) {
	const writes, reads, downgrades = 1 << 21, 1 << 18, 1 << 17
	modes(t, func(t *testing.T, rw *RWMutex) {
		for range writes {
			rw.Lock()
			rw.Unlock()
		}
		disableBias(rw)
		for range reads {
			rw.RLock()
			rw.RUnlock()
		}
		enableBias(rw)
		for range downgrades {
			rw.Lock()
			rw.Downgrade()
			rw.RUnlock()
		}
		st := rw.Stats()
		require.EqualValues(t, writes+1+downgrades, st.Writes)
		require.EqualValues(t, reads+downgrades, st.Reads)
		checkIdle(t, rw)
		require.True(t, rw.TryLock(), "no phantom reader is left")
		rw.Unlock()
	})
	t.Run("downgrades with bias kept", func(t *testing.T) {
		var rw RWMutex
		for range downgrades {
			enableBias(&rw)
			rw.Lock()
			rw.Downgrade()
			enableBias(&rw)
			rw.RUnlock()
		}
		require.True(t, rw.TryLock())
		rw.Unlock()
		checkIdle(t, &rw)
	})
	t.Run("parallel", func(t *testing.T) {
		withProcs(t, 8)
		var rw RWMutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range scaled(100_000) {
					rw.RLock()
					rw.RUnlock()
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		require.EqualValues(t, 8*scaled(100_000), rw.Stats().Reads)
		checkIdle(t, &rw)
	})
}

func TestFailedTryLockAgainstBiasedReaders(t *testing.T) {
	withProcs(t, 4)
	var rw RWMutex
	enableBias(&rw)
	rw.RLock() // so that every TryLock must fail
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				rw.RLock()
				runtime.Gosched()
				rw.RUnlock()
			}
		})
	}
	for range scaled(20_000) {
		if rw.TryLock() {
			t.Fatal("TryLock with a reader inside")
		}
	}
	stop.Store(true)
	within(t, time.Minute, wg.Wait)
	rw.RUnlock()
	require.Zero(t, rw.Stats().Writes)
	checkIdle(t, &rw)
}

func TestCancelingADrainingWriterLetsReadersResume(t *testing.T) {
	modes(t, func(t *testing.T, rw *RWMutex) {
		rw.RLock()
		ctx, cancel := context.WithCancel(context.Background())
		failed := make(chan error)
		go func() { failed <- rw.LockContext(ctx) }()
		waitFor(t, "the writer", func() bool { return rw.Stats().Waiting == 1 })
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { rw.RLock(); rw.RUnlock() })
		}
		waitFor(t, "the readers", func() bool { return rw.Stats().Waiting == 6 })
		cancel()
		require.ErrorIs(t, <-failed, context.Canceled)
		within(t, time.Minute, wg.Wait) // while the first reader stays inside
		rw.RUnlock()
		st := rw.Stats()
		require.EqualValues(t, 6, st.Reads)
		require.Zero(t, st.Writes)
		checkIdle(t, rw)
	})
}

// TestCancelRacingAWakeUp cancels at the moment of the unlock.
func TestCancelRacingAWakeUp(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		modes(t, func(t *testing.T, rw *RWMutex) {
			for i := range scaled(2000) {
				ctx, cancel := context.WithCancel(context.Background())
				rw.Lock()
				var wg sync.WaitGroup
				for j := range 3 {
					wg.Go(func() {
						if (i+j)%2 == 0 {
							if rw.LockContext(ctx) == nil {
								rw.Unlock()
							}
						} else if rw.RLockContext(ctx) == nil {
							rw.RUnlock()
						}
					})
				}
				wg.Go(func() { rw.Lock(); rw.Unlock() }) // would hang if a wake-up were lost
				if i%3 > 0 {
					waitFor(t, "sleepers", func() bool { return rw.Stats().Waiting >= i%4 })
				}
				go cancel()
				rw.Unlock()
				within(t, time.Minute, wg.Wait)
				cancel()
			}
			checkIdle(t, rw)
		})
	})
}

// TestHandoffAfterStarving overtakes a sleeper until it has waited for more than
// 1 ms; then the lock must be handed to it.
func TestHandoffAfterStarving(t *testing.T) {
	withProcs(t, 1) // what is woken does not run before this goroutine lets it
	for _, reader := range []bool{false, true} {
		modes(t, func(t *testing.T, rw *RWMutex) {
			rw.Lock()
			let, done := make(chan struct{}), make(chan struct{})
			go func() {
				if reader {
					rw.RLock()
					<-let
					rw.RUnlock()
				} else {
					rw.Lock()
					<-let
					rw.Unlock()
				}
				close(done)
			}()
			waitFor(t, "the sleeper", func() bool { return rw.Stats().Waiting == 1 })
			time.Sleep(2 * starving) // real time: how long a sleeper has waited is the subject
			within(t, 20*time.Second, func() {
				for rw.load()&handoff == 0 {
					rw.Unlock()
					rw.Lock()
					runtime.Gosched() // let it find the lock taken
				}
			})
			rw.Unlock()
			require.False(t, rw.TryLock(), "the lock is the sleeper's already")
			require.Equal(t, reader, rw.TryRLock())
			if reader {
				rw.RUnlock()
			}
			close(let)
			<-done
			require.EqualValues(t, 1, rw.Stats().Handoffs)
			checkIdle(t, rw)
		})
	}
}

func TestSleepersGetPastAHog(t *testing.T) {
	withProcs(t, 2)
	modes(t, func(t *testing.T, rw *RWMutex) {
		// One goroutine that all but never lets go.
		var stop atomic.Bool
		var hog sync.WaitGroup
		hog.Go(func() {
			for !stop.Load() {
				rw.Lock()
				for start := time.Now(); time.Since(start) < 200*time.Microsecond; {
				}
				rw.Unlock()
			}
		})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				for range 5 {
					if i%2 == 0 {
						rw.Lock()
						rw.Unlock()
					} else {
						rw.RLock()
						rw.RUnlock()
					}
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		stop.Store(true)
		hog.Wait()
		checkIdle(t, rw)
	})
}

func TestWriterAmongEndlessReaders(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		var rw RWMutex
		enableBias(&rw)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				for !stop.Load() {
					rw.RLock()
					spend(100)
					rw.RUnlock()
				}
			})
		}
		within(t, 30*time.Second, func() {
			for range 30 {
				rw.Lock()
				rw.Unlock()
			}
		})
		stop.Store(true)
		wg.Wait()
		checkIdle(t, &rw)
	})
}

func TestThousandGoroutinesOnOneP(t *testing.T) {
	withProcs(t, 1)
	modes(t, func(t *testing.T, rw *RWMutex) {
		var g guarded
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				for j := range 20 {
					if (i+j)%10 == 0 {
						rw.Lock()
						g.write(t)
						runtime.Gosched() // be descheduled with the lock held
						rw.Unlock()
					} else {
						rw.RLock()
						g.read(t)
						rw.RUnlock()
					}
				}
			})
		}
		within(t, time.Minute, wg.Wait)
		require.EqualValues(t, 2000, rw.Stats().Writes)
		require.EqualValues(t, 18000, rw.Stats().Reads)
		checkIdle(t, rw)
	})
}

// TestUnlockStorm releases many readers at the same moment, onto one writer.
func TestUnlockStorm(t *testing.T) {
	forEachProcs(t, func(t *testing.T) {
		modes(t, func(t *testing.T, rw *RWMutex) {
			for range scaled(200) {
				const n = 20
				var in, out sync.WaitGroup
				open := make(chan struct{})
				in.Add(n)
				for range n {
					out.Go(func() {
						rw.RLock()
						in.Done()
						<-open
						rw.RUnlock()
					})
				}
				in.Wait()
				out.Go(func() { rw.Lock(); rw.Unlock() })
				close(open)
				within(t, time.Minute, out.Wait)
			}
			checkIdle(t, rw)
		})
	})
}

// TestStatsBlockNobody keeps Stats in a loop beside writers.
func TestStatsBlockNobody(t *testing.T) {
	withProcs(t, 4)
	modes(t, func(t *testing.T, rw *RWMutex) {
		var stop atomic.Bool
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for !stop.Load() {
					rw.Stats()
				}
			})
		}
		within(t, 20*time.Second, func() {
			for i := range scaled(50_000) {
				if i%10 == 0 {
					rw.Lock()
					rw.Unlock()
				} else {
					rw.RLock()
					rw.RUnlock()
				}
			}
		})
		stop.Store(true)
		wg.Wait()
		require.EqualValues(t, scaled(50_000), rw.Stats().Reads+rw.Stats().Writes)
	})
}
