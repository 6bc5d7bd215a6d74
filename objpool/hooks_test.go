package objpool_test

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/objpool"
)

func TestResetReplacesAndDiscards(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, eager := range []bool{false, true} {
			var gone []int
			p := newPool(t, objpool.Config[*thing]{
				Reset: func(v *thing) (*thing, bool) {
					switch {
					case v.id < 0:
						return nil, true
					case v.id >= 100:
						return v, false
					case v.id >= 50:
						return &thing{id: 7}, true
					}
					return v, true
				},
				OnDiscard: func(v *thing, r objpool.Reason) {
					require.Equal(t, objpool.ReasonRejected, r)
					gone = append(gone, v.id)
				},
			})
			if eager { // the P has a magazine with room
				objpool.Eager(p)
				p.Put(p.Get())
				p.Get()
				p.ResetStats()
			}
			require.True(t, p.Put(&thing{id: 1}))
			require.Equal(t, 1, p.Get().id)
			require.True(t, p.Put(&thing{id: 60}))
			require.Equal(t, 7, p.Get().id, "the replacement is what is kept")
			require.False(t, p.Put(&thing{id: 100}))
			require.False(t, p.Put(&thing{id: -1}), "a nil replacement is a rejection")
			require.Equal(t, []int{100, -1}, gone)
			s := p.Stats()
			require.EqualValues(t, 2, s.Discards.Rejected)
			require.EqualValues(t, 4, s.Puts)
			require.Zero(t, s.Retained)
		}
	})
}

func TestValidateDiscardsAndTriesTheNext(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, eager := range []bool{false, true} {
			var gone []int
			p := newPool(t, objpool.Config[*thing]{
				New:       func() *thing { return &thing{id: 1000} },
				Validate:  func(v *thing) bool { return v.id%2 == 0 },
				OnDiscard: func(v *thing, r objpool.Reason) { gone = append(gone, v.id) },
			})
			if eager {
				objpool.Eager(p)
			}
			for _, id := range []int{4, 3, 1, 2, 5} {
				p.Put(&thing{id: id})
			}
			require.Equal(t, 2, p.Get().id)
			require.Equal(t, 4, p.Get().id)
			require.Equal(t, []int{5, 1, 3}, gone)
			require.Equal(t, 1000, p.Get().id)
			p.Put(&thing{id: 9})
			_, ok := p.TryGet()
			require.False(t, ok)
			s := p.Stats()
			require.EqualValues(t, 2, s.Hits)
			require.EqualValues(t, 2, s.Misses)
			require.EqualValues(t, 4, s.Discards.Invalid)
			require.NoError(t, s.Check())
		}
	})
}

func TestPanicInNew(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		bad := true
		p := newPool(t, objpool.Config[*thing]{Max: 10, New: func() *thing {
			if bad {
				panic("no")
			}
			return new(thing)
		}})
		require.PanicsWithValue(t, "no", func() { p.Get() })
		require.PanicsWithValue(t, "no", func() { p.Prewarm(3) })
		s := p.Stats()
		require.EqualValues(t, 1, s.Misses)
		require.Zero(t, s.Outstanding, "nothing was handed out")
		bad = false
		require.Equal(t, 10, p.Prewarm(20), "no room is lost to the failed Prewarm")
	})
}

func TestPanicInResetAndSize(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var gone []objpool.Reason
		size := 1
		p := newPool(t, objpool.Config[*thing]{
			Reset: func(v *thing) (*thing, bool) {
				if v.id == 13 {
					panic("reset")
				}
				if v.id == 14 {
					runtime.Goexit()
				}
				return v, true
			},
			Size:      func(v *thing) int { return size },
			OnDiscard: func(_ *thing, r objpool.Reason) { gone = append(gone, r) },
		})
		require.PanicsWithValue(t, "reset", func() { p.Put(&thing{id: 13}) })
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.Put(&thing{id: 14})
		}()
		<-done
		size = -5
		require.PanicsWithValue(t, "objpool: Size returned -5", func() { p.Put(&thing{id: 1}) })
		s := p.Stats()
		require.EqualValues(t, 3, s.Discards.Panicked)
		require.EqualValues(t, 3, s.Puts)
		require.Len(t, gone, 3)
		require.PanicsWithValue(t, "objpool: Size returned -5", func() { p.Prewarm(2) }, "one rule for both")
		size = 1
		require.True(t, p.Put(&thing{id: 1}), "the pool goes on")
		require.Equal(t, objpool.DefaultMax-1, p.Prewarm(5000), "and has all its room")
	})
}

func TestPanicInValidate(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var gone int
		p := objpool.Eager(newPool(t, objpool.Config[*thing]{
			Validate: func(v *thing) bool {
				if v.id == 13 {
					panic("validate")
				}
				return true
			},
			OnDiscard: func(*thing, objpool.Reason) { gone++ },
		}))
		p.Put(&thing{id: 1})
		p.Put(&thing{id: 13})
		require.PanicsWithValue(t, "validate", func() { p.Get() })
		require.Equal(t, 1, gone)
		require.Equal(t, 1, p.Get().id)
		s := p.Stats()
		require.EqualValues(t, 1, s.Discards.Invalid)
		require.Zero(t, s.Validating)
	})
}

func TestPanicInOnDiscardLosesNoOtherObject(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var gone []int
		quiet := false
		p := newPool(t, objpool.Config[*thing]{Max: 20, OnDiscard: func(v *thing, _ objpool.Reason) {
			gone = append(gone, v.id)
			if !quiet && v.id%3 == 0 {
				panic(v.id)
			}
		}})
		p.Prewarm(20)
		require.PanicsWithValue(t, 3, func() { p.Clear() }, "the first of them goes on")
		require.Len(t, gone, 20)
		s := p.Stats()
		require.Zero(t, s.Retained)
		require.EqualValues(t, 20, s.Discards.Cleared)

		p.Prewarm(20)
		require.Panics(t, func() { p.Put(&thing{id: 3}) })
		require.EqualValues(t, 1, p.Stats().Discards.Full)
		quiet = true
	})
}

func TestHooksMayUseThePool(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		var p *objpool.Pool[*thing]
		depth := 0
		within := func(f func()) {
			if depth++; depth < 4 {
				f()
			}
			depth--
		}
		p = newPool(t, objpool.Config[*thing]{
			Max:       3,
			New:       func() *thing { within(func() { p.Put(p.Get()) }); return new(thing) },
			Reset:     func(v *thing) (*thing, bool) { within(func() { p.Put(p.Get()); p.Stats() }); return v, true },
			Validate:  func(v *thing) bool { within(func() { p.Put(p.Get()); p.Trim(1) }); return v.id != 2 },
			OnDiscard: func(*thing, objpool.Reason) { within(func() { p.Get(); p.Clear(); _ = p.Resize(3) }) },
		})
		for i := range 500 {
			for j := range 5 {
				p.Put(&thing{id: j})
			}
			for range i % 5 {
				p.Get()
			}
		}
		p.Clear()
		s := p.Stats()
		require.NoError(t, s.Check())
	})
}

func TestMaxBytes(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		reasons := map[objpool.Reason]int{}
		p, err := objpool.New(objpool.Config[[]byte]{
			New:       func() []byte { return make([]byte, 10) },
			Size:      func(b []byte) int { return cap(b) },
			MaxBytes:  100,
			Max:       8,
			OnDiscard: func(_ []byte, r objpool.Reason) { reasons[r]++ },
		})
		require.NoError(t, err)
		require.True(t, p.Put(make([]byte, 60)))
		require.True(t, p.Put(make([]byte, 40)))
		require.False(t, p.Put(make([]byte, 1)))
		require.False(t, p.Put(make([]byte, 101)))
		require.True(t, p.Put([]byte{}))
		require.Equal(t, map[objpool.Reason]int{objpool.ReasonFull: 1, objpool.ReasonTooLarge: 1}, reasons)
		s := p.Stats()
		require.EqualValues(t, 100, s.RetainedBytes)
		require.EqualValues(t, 100, s.MaxBytes)
		p.Get()
		require.Equal(t, 40, cap(p.Get()))
		require.EqualValues(t, 60, p.Stats().RetainedBytes)
		require.Equal(t, 4, p.Prewarm(100))
		require.EqualValues(t, 100, p.Stats().RetainedBytes)
		require.Equal(t, 1, p.Trim(1))
		require.EqualValues(t, 40, p.Stats().RetainedBytes)
		p.Clear()
		require.Zero(t, p.Stats().RetainedBytes)
		objpool.CheckInside(t, p)
		s = p.Stats()
		require.NoError(t, s.Check())
	})
}

func TestIdleTimeoutDiscardsWhatWasNotNeeded(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		for _, eager := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				var gone int
				p, err := objpool.New(objpool.Config[*thing]{
					New:         func() *thing { return new(thing) },
					IdleTimeout: time.Minute,
					OnDiscard: func(_ *thing, r objpool.Reason) {
						require.Equal(t, objpool.ReasonExpired, r)
						gone++
					},
				})
				require.NoError(t, err)
				if eager {
					objpool.Eager(p)
				}
				for range 10 {
					p.Put(new(thing))
				}
				time.Sleep(61 * time.Second)
				// Five are needed in this minute, five are not.
				if !eager {
					var five [5]*thing
					for i := range five {
						five[i] = p.Get()
					}
					for _, v := range five {
						p.Put(v)
					}
					time.Sleep(time.Minute)
					synctest.Wait()
					require.Equal(t, 5, gone)
				}
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				require.Equal(t, 10, gone)
				s := p.Stats()
				require.EqualValues(t, 10, s.Discards.Expired)
				require.Zero(t, s.Retained)
				require.NoError(t, s.Check())

				// The timer stopped; another object starts it again.
				time.Sleep(time.Hour)
				p.Put(new(thing))
				time.Sleep(150 * time.Second)
				synctest.Wait()
				require.Zero(t, p.Stats().Retained)
			})
		}
	})
}

func TestIdleTimeoutStopsAtClose(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			expired := 0
			p := objpool.Must(objpool.New(objpool.Config[*thing]{
				New: func() *thing { return new(thing) }, IdleTimeout: time.Second,
				OnDiscard: func(_ *thing, r objpool.Reason) {
					if r == objpool.ReasonExpired {
						expired++
					}
				},
			}))
			p.Prewarm(5)
			require.True(t, objpool.IdleArmed(p))
			require.NoError(t, p.Close())
			require.False(t, objpool.IdleArmed(p))
			p.Put(new(thing))
			require.False(t, objpool.IdleArmed(p))
			time.Sleep(time.Minute)
			require.Zero(t, expired)
		})
	})
}

func TestPanicInOnDiscardOnTheTimerIsContained(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			boom := errors.New("boom")
			gone := 0
			p := objpool.Must(objpool.New(objpool.Config[*thing]{
				Name: "x", New: func() *thing { return new(thing) }, IdleTimeout: time.Second,
				OnDiscard: func(*thing, objpool.Reason) { gone++; panic(boom) },
			}))
			p.Prewarm(3)
			time.Sleep(5 * time.Second)
			synctest.Wait()
			require.Equal(t, 3, gone)
			s := p.Stats()
			require.EqualValues(t, 1, s.Panics)
			require.NoError(t, s.Check())
			err := p.Close()
			require.ErrorIs(t, err, boom)
			var pe *objpool.PanicError
			require.ErrorAs(t, err, &pe)
			require.Contains(t, string(pe.Stack), "TestPanicInOnDiscardOnTheTimerIsContained")
			require.Equal(t, err, p.Close())
			require.EqualError(t, err, `objpool: "x": OnDiscard panicked: boom`)
		})
	})
}
