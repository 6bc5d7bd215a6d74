package report

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// The floor and others that judge nobody come last, wherever a run has them.
func TestGroupsThatJudgeNobodyComeLast(t *testing.T) {
	r := sampleRun()
	slices.Reverse(r.Rows)
	var names []string
	for _, g := range groups(r) {
		names = append(names, g.name)
	}
	assert.Equal(t, []string{"locks", "workerpool", "empty", "floor"}, names)
}

// A GOMAXPROCS goes without saying where it is the machine's and the only one.
func TestTitleWritesOutTheCPUs(t *testing.T) {
	r := &result.Run{Rows: []result.Row{
		{Group: "g", Case: "one", Impl: "poundlock", CPUs: 8, Rounds: 1},
		{Group: "g", Case: "two", Impl: "poundlock", CPUs: 2, Rounds: 1},
		{Group: "g", Case: "both", Impl: "poundlock", CPUs: 2, Rounds: 1},
		{Group: "g", Case: "both", Impl: "poundlock", CPUs: 8, Rounds: 1},
	}}
	titles := func() (s []string) {
		for _, c := range groups(r)[0].cells {
			s = append(s, c.title())
		}
		return s
	}
	assert.Equal(t, []string{"one", "two", "both · GOMAXPROCS 2", "both · GOMAXPROCS 8"}, titles(), "of a machine that is not known")
	r.Info.Machine.MaxPs = 2
	assert.Equal(t, []string{"one · GOMAXPROCS 8", "two", "both · GOMAXPROCS 2", "both · GOMAXPROCS 8"}, titles())
}

// A card's legend has what its chart draws, and nothing else.
func TestKindLegend(t *testing.T) {
	g := groups(sampleRun())[0]
	col := colours(g)
	card := kindCards(g, col)[0]
	assert.Equal(t, "empty", card.Title)
	assert.Equal(t, []legendItem{{"chan", col["chan"]}, {"ants", col["ants"]}, {"a-name-that-is-far-too-long", col["a-name-that-is-far-too-long"]}}, card.Legend,
		"extra is no baseline, poundlock no dot")
}
