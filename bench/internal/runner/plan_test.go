package runner

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/internal/compare"
)

func nop(*testing.B) {}

// makeUnits returns n cases with k implementations each.
func makeUnits(n, k int) []unit {
	us := make([]unit, n)
	for i := range us {
		c := &compare.Case{Group: "g", Name: string(rune('a' + i%26))}
		for j := range k {
			c.Impls = append(c.Impls, compare.Impl{Name: string(rune('A' + j)), Bench: nop})
		}
		us[i] = unit{c, 2}
	}
	return us
}

// Each sample of a round is taken once, and those of a unit in one go, so that
// pairs are adjacent in time.
func TestScheduleIsAShuffleOfWholeUnits(t *testing.T) {
	us := makeUnits(7, 4)
	rng := rand.New(rand.NewPCG(1, 2))
	unitOrders, implOrders := make(map[[2]int]bool), make(map[[2]int]bool)
	for round := range 50 {
		jobs := schedule(rng, us, round, func(int, int) bool { return true })
		require.Len(t, jobs, 28)
		seen := make(map[job]bool)
		for i, j := range jobs {
			assert.Equal(t, round, j.round)
			assert.False(t, seen[j], "taken twice")
			seen[j] = true
			if i%4 != 0 {
				assert.Equal(t, jobs[i-1].unit, j.unit, "a unit is torn apart")
			}
		}
		unitOrders[[2]int{jobs[0].unit, jobs[4].unit}] = true
		implOrders[[2]int{jobs[0].impl, jobs[1].impl}] = true
	}
	assert.Greater(t, len(unitOrders), 20, "units are not shuffled")
	assert.Len(t, implOrders, 12, "implementations are not shuffled")
}

func TestScheduleLeavesOut(t *testing.T) {
	jobs := schedule(rand.New(rand.NewPCG(1, 2)), makeUnits(2, 3), 0, func(u, i int) bool { return u == 1 && i != 2 })
	assert.ElementsMatch(t, []job{{1, 0, 0}, {1, 1, 0}}, jobs)
}

func TestCheckCases(t *testing.T) {
	ok := compare.Case{Group: "g", Name: "n", Impls: []compare.Impl{{Name: "a", Bench: nop}, {Name: "b", Bench: nop}}, Baselines: []string{"b"}}
	require.NoError(t, checkCases([]*compare.Case{&ok}))
	for want, spoil := range map[string]func(c *compare.Case){
		"no group":                func(c *compare.Case) { c.Group = "" },
		"a space":                 func(c *compare.Case) { c.Name = "a b" },
		"no implementations":      func(c *compare.Case) { c.Impls = nil },
		"bad implementation name": func(c *compare.Case) { c.Impls[1].Name = "a b" },
		"declares a twice":        func(c *compare.Case) { c.Impls[1].Name = "a" },
		"b has no Bench":          func(c *compare.Case) { c.Impls[1].Bench = nil },
		`the baseline "c"`:        func(c *compare.Case) { c.Baselines = []string{"c"} },
		`the baseline "a"`:        func(c *compare.Case) { c.Baselines = []string{"a"} },
		`BenchTime "10"`:          func(c *compare.Case) { c.BenchTime = "10" },
		"CPUs":                    func(c *compare.Case) { c.CPUs = []int{0} },
	} {
		c := ok
		c.Impls = append([]compare.Impl(nil), ok.Impls...)
		spoil(&c)
		assert.ErrorContains(t, checkCases([]*compare.Case{&c}), want)
	}
	assert.ErrorContains(t, checkCases([]*compare.Case{&ok, &ok}), "twice")
}

func TestUnitsOf(t *testing.T) {
	c := &compare.Case{Group: "g", Name: "n", CPUs: []int{1, 8}}
	assert.Equal(t, []unit{{c, 1}, {c, 8}}, unitsOf(c, nil))
	assert.Equal(t, []unit{{c, 2}}, unitsOf(c, []int{2}), "-cpu wins")
	assert.Len(t, unitsOf(&compare.Case{}, nil), 1)
}

// Whatever the number of cases, the plan fits the time, unless samples would become
// too short to mean anything: then rounds are cut while it runs.
func TestBudgetFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		us := makeUnits(rapid.IntRange(1, 60).Draw(t, "cases"), rapid.IntRange(1, 9).Draw(t, "impls"))
		o := &options{quick: rapid.Bool().Draw(t, "quick")}
		b := newBudget(us, o)
		total := time.Duration(0)
		for _, u := range us {
			total += b.guess(u) * time.Duration(b.rounds)
		}
		if total > b.total+b.total/50 && b.benchTime > goodBenchTime {
			t.Fatalf("%d units: %d rounds of %v make %v, more than %v", len(us), b.rounds, b.benchTime, total, b.total)
		}
	})
}

func TestBudgetObeysTheUser(t *testing.T) {
	b := newBudget(makeUnits(3, 3), &options{rounds: 40, benchTime: time.Second})
	assert.Equal(t, budget{total: 0, rounds: 40, benchTime: time.Second}, b)
	b = newBudget(makeUnits(3, 3), &options{quick: true})
	assert.Equal(t, quickRounds, b.rounds)
	assert.Equal(t, quickMaxTime, b.benchTime, "few cases need not fill the time")
	b = newBudget(makeUnits(400, 4), &options{})
	assert.Equal(t, goodBenchTime, b.benchTime, "rather fewer rounds than samples of no length")
	b = newBudget(makeUnits(100, 4), &options{full: 20 * time.Minute})
	assert.Equal(t, 20*time.Minute-reportTime, b.total)
	assert.Greater(t, b.benchTime, 2*goodBenchTime)
}

func TestAllot(t *testing.T) {
	const s = time.Second
	assert.Equal(t, []int{12, 12}, allot([]time.Duration{s, s}, 12, 6, 3, 30*s), "all fits")
	assert.Equal(t, []int{12, 10}, allot([]time.Duration{s, 9 * s}, 12, 6, 3, 104*s), "the expensive one is cut")
	assert.Equal(t, []int{12, 4}, allot([]time.Duration{s, 10 * s}, 12, 6, 3, 60*s), "it may not take all the time")
	assert.Equal(t, []int{12, 3}, allot([]time.Duration{s, 10 * s}, 12, 6, 3, 45*s), "but has its few")
	assert.Equal(t, []int{3, 3}, allot([]time.Duration{s, s}, 12, 6, 3, 6*s), "then the least falls")
	assert.Equal(t, []int{2, 2}, allot([]time.Duration{s, s}, 12, 6, 3, 5*s), "further")
	assert.Equal(t, []int{0, 0}, allot([]time.Duration{s, s}, 12, 6, 3, s), "down to none")
	assert.Equal(t, []int{4, 4}, allot([]time.Duration{0, 0}, 4, 6, 3, s))
	assert.Equal(t, []int{0}, allot([]time.Duration{s}, 4, 6, 3, -s))
}

func TestAllotNeverExceeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.SliceOfN(rapid.IntRange(1, 20000), 1, 40).Draw(t, "costs")
		want := rapid.IntRange(1, 12).Draw(t, "want")
		left := time.Duration(rapid.IntRange(-1000, 300000).Draw(t, "left")) * time.Millisecond
		cost := make([]time.Duration, len(ms))
		for i, v := range ms {
			cost[i] = time.Duration(v) * time.Millisecond
		}
		sum := time.Duration(0)
		for i, n := range allot(cost, want, 6, 3, left) {
			if n < 0 || n > want {
				t.Fatalf("%d rounds of %d", n, want)
			}
			sum += time.Duration(n) * cost[i]
		}
		if sum > max(left, 0) {
			t.Fatalf("%v allotted, %v left", sum, left)
		}
	})
}
