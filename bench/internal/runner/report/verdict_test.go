package report

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// ratio makes a ratio with an interval; without one where lo is 0.
func ratio(v, lo, hi float64) *result.Ratio {
	if lo == 0 {
		return &result.Ratio{Value: v}
	}
	return &result.Ratio{Value: v, Lo: &lo, Hi: &hi}
}

func TestVerdictIsTheIntervals(t *testing.T) {
	for _, c := range []struct {
		q    *result.Ratio
		want verdict
	}{
		{ratio(2, 1.01, 3), ahead},
		{ratio(2, 1, 3), level},
		{ratio(2, 0.9, 3), level},
		{ratio(0.5, 0.4, 1), level},
		{ratio(0.5, 0.4, 0.99), behind},
		{ratio(9, 0, 0), level}, // too few rounds to say
		{ratio(0.1, 0, 0), level},
		{nil, level},
	} {
		assert.Equal(t, c.want, verdictOf(c.q), "%+v", c.q)
	}
}

// baselines makes a cell in which the implementations given are declared baselines.
func baselines(of map[string]*result.Ratio) *cell {
	c := &cell{group: "g", name: "n", cpus: 2, metrics: []string{"ns/op"}, impls: []impl{{row: &result.Row{Impl: "poundlock", Rounds: 9}}}}
	for name, q := range of {
		c.impls = append(c.impls, impl{
			row: &result.Row{Impl: name}, declared: name != "undeclared", own: result.OwnName(name),
			ratios: map[string]*result.Ratio{"ns/op": q},
		})
	}
	return c
}

// Ahead is who is ahead of all, behind who is behind any, and a variant of one's own
// is neither.
func TestBestAlternative(t *testing.T) {
	for _, c := range []struct {
		of   map[string]*result.Ratio
		best string
		want verdict
	}{
		{map[string]*result.Ratio{"a": ratio(3, 2, 4), "b": ratio(2, 1.5, 3)}, "b", ahead},
		{map[string]*result.Ratio{"a": ratio(3, 0.9, 9), "b": ratio(2, 1.5, 3)}, "a", level},
		{map[string]*result.Ratio{"a": ratio(0.9, 0.8, 0.95), "b": ratio(0.5, 0.2, 1.1)}, "a", behind},
		{map[string]*result.Ratio{"a": ratio(3, 2, 4), "poundlock-off": ratio(0.5, 0.4, 0.6), "nothing": ratio(0.1, 0.1, 0.1)}, "a", ahead},
		{map[string]*result.Ratio{"a": ratio(3, 2, 4), "undeclared": ratio(0.5, 0.4, 0.6)}, "a", ahead},
		{map[string]*result.Ratio{"poundlock-off": ratio(0.5, 0.4, 0.6)}, "", level},
		{map[string]*result.Ratio{"a": ratio(0, 0, 0)}, "", level},
	} {
		im, q, v := baselines(c.of).best()
		if c.best == "" {
			assert.Nil(t, im)
			assert.Nil(t, q)
			continue
		}
		assert.Equal(t, c.best, im.row.Impl, "%v", c.of)
		assert.Equal(t, c.want, v, "%v", c.of)
	}
}

func TestSummaryCountsCases(t *testing.T) {
	gs := groups(sampleRun())
	s := summarize(gs[0])
	assert.Equal(t, "workerpool", s.name)
	assert.Equal(t, "4 ahead", s.tally.String(), "extra is not a baseline, though twice as fast")
	assert.InDelta(t, 1.5, s.mean, 1e-9)
	locks := summarize(gs[1])
	assert.Equal(t, tally{behind: 1}, locks.tally)
	assert.Equal(t, "floor", gs[len(gs)-2].name, "groups that judge nobody come last")
	assert.Equal(t, "4 ahead, 1 behind", total(summaries(gs)).String())
}

// A variant that the case declares to be its own counts as little as one that is
// known by its name.
func TestDeclaredOwn(t *testing.T) {
	r := sampleRun()
	for i := range r.Rows {
		if r.Rows[i].Impl == "sync.RWMutex" {
			r.Rows[i].Own = true
		}
	}
	s := summarize(groups(r)[1])
	assert.Zero(t, s.tally.sum())
	c := groups(r)[1].cells[0]
	assert.Equal(t, "end value soft", valueClass(&c.impls[1], c.impls[1].ratios["ns/op"]))
	assert.Regexp(t, `^o\d$`, colours(groups(r)[1])["sync.RWMutex"])
}

func TestCommonDoc(t *testing.T) {
	for _, c := range []struct {
		docs []string
		want string
	}{
		{[]string{"One op is an item."}, "One op is an item."},
		{[]string{"One op is one of 2 items, of 10.", "One op is one of 64 items, of 10.", "One op is one of 2 items, of 100."}, "One op is one of N items, of N."},
		{[]string{"One op is Lock.", "One op is RLock.", "One op is Lock."}, "One op is Lock/RLock."},
		{[]string{"One op is 100 tasks, run.", "One op is 100 tasks of 1 µs, run."}, "One op is 100 … run."},
		{[]string{"", "One op is."}, "…"},
	} {
		var cells []*cell
		for _, d := range c.docs {
			cells = append(cells, &cell{doc: d})
		}
		assert.Equal(t, c.want, commonDoc(cells))
	}
	assert.Equal(t, "One op: a value and back.", opOf("A value and back."))
	assert.Equal(t, "How long; one op is one.", opOf("How long; one op is one."))
}
