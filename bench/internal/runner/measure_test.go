package runner

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
	"github.com/poundlock/poundlock/internal/compare"
)

// measureFor runs a campaign in virtual time in which a sample takes what took
// says, and returns it with the time that it needed.
func measureFor(t *testing.T, us []unit, o *options, took func(*compare.Case) time.Duration) (m *campaign, d time.Duration, stderr string) {
	var errs bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLaunch{}
		m = &campaign{
			units: us, budget: newBudget(us, o), timeout: time.Minute, rng: rand.New(rand.NewPCG(1, 1)), raw: new(bytes.Buffer),
			show: &progress{w: &errs, width: func() int { return 0 }},
			launch: func(ctx context.Context, rq request) reply {
				time.Sleep(took(rq.c))
				return f.launch(ctx, rq)
			},
		}
		start := time.Now()
		require.NoError(t, m.measure(context.Background()))
		d = time.Since(start)
	})
	return m, d, errs.String()
}

// The time holds however long samples turn out to take.
func TestRunKeepsToTheTime(t *testing.T) {
	for _, took := range []time.Duration{time.Millisecond, 50 * time.Millisecond, time.Second, 4 * time.Second} {
		for _, quick := range []bool{true, false} {
			o := &options{quick: quick}
			m, d, _ := measureFor(t, makeUnits(20, 3), o, func(*compare.Case) time.Duration { return took })
			limit := fullTime - reportTime
			if quick {
				limit = fullTime/quickShare - reportTime
			}
			assert.LessOrEqual(t, d, limit+limit/4+12*time.Second, "%v a sample, quick %v", took, quick)
			assert.GreaterOrEqual(t, m.rounds, 1)
		}
	}
}

// Where the time does not do for all, the expensive cases get fewer rounds, and
// the cheap ones all of theirs.
func TestExpensiveCasesAreCutFirst(t *testing.T) {
	us := makeUnits(5, 2)
	us[4].c.Name = "long"
	us[4].c.BenchTime = "1x"
	m, d, _ := measureFor(t, us, &options{}, func(c *compare.Case) time.Duration {
		if c.Name == "long" {
			return 15 * time.Second
		}
		return 100 * time.Millisecond
	})
	assert.Equal(t, []int{12, 12, 12, 12}, m.had[:4])
	assert.GreaterOrEqual(t, m.had[4], 6)
	assert.Less(t, m.had[4], 12)
	assert.LessOrEqual(t, d, fullTime-reportTime)
}

// The first round finds out how many ops make a sample, and the others run as many
// without a search. Cases with a length of their own keep it.
func TestSamplesHaveTheLengthThatTheFirstRoundFound(t *testing.T) {
	us := makeUnits(2, 1)
	us[1].c.BenchTime = "30x"
	var asked [2][]int
	m := &campaign{
		units: us, budget: newBudget(us, &options{rounds: 5, benchTime: 10 * time.Millisecond}), timeout: time.Minute,
		rng: rand.New(rand.NewPCG(1, 1)), raw: new(bytes.Buffer), show: &progress{w: new(bytes.Buffer), width: func() int { return 0 }},
	}
	m.launch = func(_ context.Context, rq request) reply {
		u := 0
		if rq.c == us[1].c {
			u = 1
		}
		asked[u] = append(asked[u], rq.ops)
		n, ns := rq.ops, 100.0
		if n == 0 {
			n = 120_000 // 12 ms
		}
		if len(asked[u]) == 3 {
			ns *= 100 // a core was stolen
		}
		return reply{stdout: formatLine(lineName(rq.c, "A", rq.cpus), n, map[string]float64{"ns/op": ns})}
	}
	require.NoError(t, m.measure(context.Background()))
	assert.Equal(t, []int{0, 100_000, 100_000, 70_710, 84_089}, asked[0])
	assert.Equal(t, []int{0, 0, 0, 0, 0}, asked[1])
}

func TestRoundsGivenAreNotCut(t *testing.T) {
	m, d, _ := measureFor(t, makeUnits(2, 2), &options{rounds: 20}, func(*compare.Case) time.Duration { return 10 * time.Second })
	assert.Equal(t, []int{20, 20}, m.had)
	assert.Equal(t, 800*time.Second, d)
}

func TestTimeLeftIsWithinTheTime(t *testing.T) {
	m := &campaign{units: makeUnits(2, 2), budget: budget{total: time.Minute, rounds: 12, benchTime: time.Second}}
	m.had, m.spent = []int{1, 1}, []time.Duration{time.Second, 100 * time.Second}
	assert.Equal(t, 6*time.Second, m.timeLeft([]int{6, 0}, 10*time.Second))
	assert.Equal(t, 50*time.Second, m.timeLeft([]int{6, 6}, 10*time.Second))
	assert.Zero(t, m.timeLeft([]int{6, 6}, 70*time.Second))
	m.budget.total = 0
	assert.Equal(t, 606*time.Second, m.timeLeft([]int{6, 6}, 10*time.Second))
}

// What is said of a whole run, before and after it, fits 80 columns.
func TestLinesOfAWholeRunFitATerminal(t *testing.T) {
	var said strings.Builder
	us := makeUnits(206, 5)
	command{stderr: &said}.announce(us, newBudget(us, &options{}))
	require.Contains(t, said.String(), "206 cases, 1030 implementations, 12 rounds of ")
	said.WriteString(barsLine(result.Tally{
		Met: [4]int{207, 12, 18, 173}, Missed: [4]int{151, 13, 18, 173}, Out: 100,
	}, 0.85))
	for line := range strings.Lines(said.String()) {
		assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 80, line)
	}
}

func TestProgressIsPlainOffTheTerminal(t *testing.T) {
	_, _, stderr := measureFor(t, makeUnits(2, 2), &options{rounds: 3}, func(*compare.Case) time.Duration { return time.Second })
	assert.Equal(t, 3, strings.Count(stderr, "\n"))
	assert.Contains(t, stderr, "round 3 of 3, about 4s left")
	assert.NotContains(t, stderr, "\r")
}

func TestProgressIsLiveOnATerminal(t *testing.T) {
	var w bytes.Buffer
	p := &progress{w: &w, live: true, width: func() int { return 30 }}
	u := makeUnits(1, 1)[0]
	p.at(u, "A", 1, 12, time.Second, 3*time.Second)
	assert.Equal(t, "\r 25%  3s left  round 1/12  g/\x1b[K", w.String(), "cut to the width")
	p.note(u, sample{failed: "two\nlines"})
	assert.Contains(t, w.String(), "\r\x1b[KFAILED g/a-2: A: two; lines\n")
}

// The rows' figures are medians, and the ratios those of pairs.
func TestRows(t *testing.T) {
	c := &compare.Case{Group: "g", Name: "n", Baselines: []string{"b"}, Impls: []compare.Impl{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"}}}
	var ss []sample
	put := func(impl, round int, ns float64) {
		ss = append(ss, sample{impl: impl, round: round, values: map[string]float64{"ns/op": ns, "cores": 1, "p50-ns": 0}})
	}
	for r, speed := range []float64{1, 2, 1, 3, 1, 10, 1} { // a machine that slows all down together
		put(0, r, 10*speed)
		put(1, r, 30*speed)
	}
	put(0, 7, 1000) // a round that b was not part of
	put(4, 0, 50)   // e did its work once, and then it did not
	ss = append(ss, sample{impl: 4, round: 1, failed: "lost one later"})
	ss = append(ss, sample{impl: 2, failed: "lost a task"}, sample{impl: 3, skipped: "not here"})
	rs := rows([]unit{{c, 2}}, ss, false)
	require.Len(t, rs, 8)

	ab := rs[0]
	assert.Equal(t, "b", ab.Baseline)
	assert.True(t, ab.Lead)
	assert.False(t, ab.Extra)
	assert.Equal(t, 15.0, ab.NsPerOp)
	assert.Equal(t, 3.0, ab.Ratio.Value)
	lo, hi, ok := ab.Interval()
	assert.True(t, ok)
	assert.Equal(t, []float64{3, 3}, []float64{lo, hi}, "the drift of the machine cancels")
	assert.NotContains(t, ab.Ratios, "cores")
	assert.NotContains(t, ab.Ratios, "p50-ns", "a ratio of zeros")
	assert.True(t, rs[1].Extra)
	assert.Nil(t, rs[1].Ratio, "c failed")
	assert.Equal(t, "e", rs[3].Baseline)
	assert.Nil(t, rs[3].Ratio, "who failed once has no ratio")
	assert.Equal(t, "lost a task", rs[5].Failed)
	assert.Equal(t, "not here", rs[6].Skipped)
	assert.Equal(t, "lost one later", rs[7].Failed)
	for _, r := range rows([]unit{{c, 2}}, ss, true) {
		assert.Nil(t, r.Ratio, "race")
	}
	assert.Empty(t, rows([]unit{{c, 2}}, nil, false))
	assert.Empty(t, rows([]unit{{c, 2}}, []sample{{impl: 1, values: map[string]float64{"ns/op": 1}}}, false), "b has nothing to be compared with")
	assert.False(t, math.IsNaN(rs[5].NsPerOp))
}

func TestShortOfCores(t *testing.T) {
	assert.Equal(t, 1, shortOfCores([]float64{2, 2, 1.9, 1.1, 2}))
	assert.Zero(t, shortOfCores([]float64{1, 1.1, 0.9}))
	assert.Zero(t, shortOfCores(nil))
}

func TestDisturbed(t *testing.T) {
	if _, _, ok := machineBusy(); !ok {
		t.Skip("this system does not tell what the machine is doing")
	}
	w := watch()
	w.stolen -= time.Second // as if a second had been stolen since
	assert.True(t, w.disturbed(time.Hour))
	assert.False(t, watch().disturbed(time.Hour))
}

func TestOwnUnits(t *testing.T) {
	assert.Equal(t, []string{"ns/op"}, metrics(&compare.Case{}))
	assert.Equal(t, result.NsPerOp, metrics(&compare.Case{})[0])
}
