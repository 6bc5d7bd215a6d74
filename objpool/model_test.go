package objpool_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/objpool"
)

// A slow obvious pool as the oracle: a set with a bound. The pool under test must
// agree on every answer, with magazines and without; but if the goroutine moves from
// one magazine to another, it may miss what is in the first.
func TestAgainstTheModel(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // it does not move in the pinned engine
	objpool.EachEngine(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			bound := rapid.IntRange(1, 80).Draw(t, "max")
			eager := rapid.Bool().Draw(t, "eager")
			next := 0
			discards := 0
			p := objpool.Must(objpool.New(objpool.Config[int]{
				Max:       bound,
				New:       func() int { next++; return next },
				OnDiscard: func(int, objpool.Reason) { discards++ },
			}))
			var want objpool.Stats
			in := map[int]bool{}
			var out []int
			took := func(v int) {
				if !in[v] {
					t.Fatalf("%d came out and was not in", v)
				}
				delete(in, v)
				want.Hits++
				out = append(out, v)
			}
			t.Repeat(map[string]func(*rapid.T){
				"get": func(t *rapid.T) {
					for range rapid.IntRange(1, 20).Draw(t, "n") {
						empty := len(in) == 0
						v := p.Get()
						if !empty && (v != next || in[v]) {
							took(v)
							continue
						}
						if v != next || in[v] {
							t.Fatalf("got %d from an empty pool", v)
						}
						if !empty && !mayMove(p) {
							t.Fatalf("missed with %d retained", len(in))
						}
						want.Misses++
						out = append(out, v)
					}
				},
				"tryget": func(t *rapid.T) {
					v, ok := p.TryGet()
					if ok != (len(in) > 0) && (ok || !mayMove(p)) {
						t.Fatalf("TryGet says %v with %d retained", ok, len(in))
					}
					if ok {
						took(v)
					} else {
						want.Misses++
					}
				},
				"put": func(t *rapid.T) {
					for range min(rapid.IntRange(1, 20).Draw(t, "n"), len(out)) {
						v := out[len(out)-1]
						out = out[:len(out)-1]
						ok := p.Put(v)
						if ok != (len(in) < bound) && (ok || !mayMove(p)) {
							t.Fatalf("Put says %v with %d of %d retained", ok, len(in), bound)
						}
						want.Puts++
						if ok {
							in[v] = true
							want.Accepted++
						} else {
							want.Discards.Full++
						}
					}
				},
				"prewarm": func(t *rapid.T) {
					n := rapid.IntRange(0, 20).Draw(t, "n")
					first := next + 1
					got := p.Prewarm(n)
					if got != min(n, bound-len(in)) {
						t.Fatalf("Prewarm(%d) = %d", n, got)
					}
					for v := first; v <= next; v++ {
						in[v] = true
					}
					want.Prewarmed += uint64(got)
				},
				"trim": func(t *rapid.T) {
					n := rapid.IntRange(0, 10).Draw(t, "n")
					got := p.Trim(n)
					if got != min(n, len(in)) {
						t.Fatalf("Trim(%d) = %d", n, got)
					}
					if got > 0 && got == len(in) {
						clear(in)
					} else if got > 0 {
						// Which ones left is not the model's business: empty both.
						rest := len(in) - got
						if p.Clear() != rest {
							t.Fatal("Clear after Trim")
						}
						want.Discards.Cleared += uint64(rest)
						clear(in)
					}
					want.Discards.Trimmed += uint64(got)
				},
				"resize": func(t *rapid.T) {
					bound = rapid.IntRange(max(len(in), 1), 80).Draw(t, "max")
					if err := p.Resize(bound); err != nil {
						t.Fatal(err)
					}
				},
				"": func(t *rapid.T) {
					if eager {
						objpool.Eager(p)
					}
					s := p.Stats()
					if err := s.Check(); err != nil {
						t.Fatal(err)
					}
					want.Gets = want.Hits + want.Misses
					if s.Gets != want.Gets || s.Hits != want.Hits || s.Puts != want.Puts || s.Accepted != want.Accepted ||
						s.Prewarmed != want.Prewarmed || s.Discards != want.Discards || s.Retained != len(in) || s.Max != bound {
						t.Fatalf("got %+v\nwant %+v with %d retained", s, want, len(in))
					}
					if uint64(discards) != want.Discards.Total() {
						t.Fatalf("%d OnDiscards, want %d", discards, want.Discards.Total())
					}
				},
			})
			objpool.CheckInside(t, p)
		})
	})
}

// mayMove reports whether the goroutine may have moved away from a magazine that has
// capacity: in the portable engine, when its stack moved.
func mayMove(p *objpool.Pool[int]) bool {
	first, _ := objpool.Stripes(p)
	return first != nil && objpool.Lent(p) > 0
}

type bagOp struct {
	put bool
	v   int
}

// bag is the porcupine model of a pool with a bound. A strict one misses only when
// empty and refuses only when full.
func bag(bound int, strict bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, in, out any) (bool, any) {
			s, op := state.(string), in.(bagOp)
			if op.put {
				if !out.(bool) {
					return !strict || len(s) == bound, s
				}
				i := 0
				for i < len(s) && s[i] < byte(op.v) {
					i++
				}
				return len(s) < bound, s[:i] + string([]byte{byte(op.v)}) + s[i:]
			}
			v := out.(int)
			if v < 0 {
				return !strict || s == "", s
			}
			for i := range len(s) {
				if s[i] == byte(v) {
					return true, s[:i] + s[i+1:]
				}
			}
			return false, s
		},
	}
}

func TestLinearizable(t *testing.T) {
	objpool.EachEngine(t, func(t *testing.T) {
		rounds := 200
		if testing.Short() {
			rounds = 20
		}
		for _, eager := range []bool{false, true} {
			for round := range rounds {
				bound := 1 + round%12
				p := objpool.Must(objpool.New(objpool.Config[int]{New: func() int { return -1 }, Max: bound}))
				var mu sync.Mutex
				var history []porcupine.Operation
				var next, clock atomic.Int64
				if eager {
					objpool.Eager(p)
				}
				var wg sync.WaitGroup
				for g := range 3 {
					wg.Go(func() {
						var ops []porcupine.Operation
						for i := range 12 {
							op := bagOp{put: (i+g)%5 < 3}
							var out any
							if op.put {
								op.v = int(next.Add(1))
							}
							call := clock.Add(1)
							if op.put {
								out = p.Put(op.v)
							} else if v, ok := p.TryGet(); ok {
								out = v
							} else {
								out = -1
							}
							ops = append(ops, porcupine.Operation{
								ClientId: g, Input: op, Output: out, Call: call, Return: clock.Add(1),
							})
						}
						mu.Lock()
						history = append(history, ops...)
						mu.Unlock()
					})
				}
				wg.Wait()
				// Without magazines the pool is a bag under a lock. With them, a miss
				// or a refusal may overlap what other Ps do (see the package doc).
				res := porcupine.CheckOperationsTimeout(bag(bound, !eager), history, 5*time.Second)
				require.NotEqual(t, porcupine.Illegal, res, "round %d, eager %v", round, eager)
			}
		}
	})
}
