package result

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func TestReadBars(t *testing.T) {
	path := write(t, t.TempDir(), "p.txt", `
# a comment

pool/empty/.*   ants  ns/op  12   # a note
locks/rw        sync.RWMutex ns/op <=0.35
pool/a-8        ants  p50-ns >=2.5
pool/b          -     allocs/op <= 0
`)
	bars, err := ReadBars(path)
	require.NoError(t, err)
	require.Len(t, bars, 4)
	b := bars[0]
	assert.Equal(t, []any{"pool/empty/.*", "ants", "ns/op", 12.0, false, "a note", path + ":4"},
		[]any{b.Case, b.Baseline, b.Metric, b.Limit, b.AtMost, b.Note, b.At()})
	assert.Equal(t, []string{">=12 ×", "<=0.35 ×", ">=2.5 ×", "<=0"},
		[]string{bars[0].Want(), bars[1].Want(), bars[2].Want(), bars[3].Want()})
	assert.True(t, bars[3].Absolute())
}

func TestNoteAsAbove(t *testing.T) {
	path := write(t, t.TempDir(), "p.txt", "x/a c ns/op 1 # tried this\nx/b c ns/op 1 # as above\nx/c c ns/op 1 # as above; and that\nx/d c ns/op 1\n")
	bars, err := ReadBars(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"tried this", "tried this", "tried this; and that", ""}, []string{bars[0].Note, bars[1].Note, bars[2].Note, bars[3].Note})
}

func TestReadBarsOfADirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "b.txt", "x/b c ns/op 1")
	write(t, dir, "a.txt", "x/a c ns/op 1")
	write(t, dir, "notes.md", "not bars")
	more := write(t, t.TempDir(), "more.bars", "x/m c ns/op 1")
	bars, err := ReadBars(dir, more)
	require.NoError(t, err)
	require.Len(t, bars, 3)
	assert.Equal(t, "x/a", bars[0].Case)
	assert.Equal(t, "x/m", bars[2].Case)
}

func TestReadBarsRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"pool/a ants 12":           "have 3 fields",
		"pool/a ants ns/op 12 x":   "have 5 fields",
		"pool/a ants ns/op twelve": `bar "twelve" is not a number`,
		"pool/a ants ns/op -1":     "is not a number",
		"pool/a ants ns/op NaN":    "is not a number",
		"pool/a ants ns/op 0":      "a ratio is above 0",
		"pool/a ants ns/op <=0":    "a ratio is above 0",
		"pool/a - allocs/op 0":     "needs <=",
		"pool/( ants ns/op 1":      "missing closing",

		"pool/a floor:add B/op <=2":        "what a primitive costs is a time",
		"@":                                "want @NAME TEXT",
		"@why":                             "want @NAME TEXT",
		"@Why not":                         "want @NAME TEXT",
		"pool/a ants ns/op 12 # @why; and": "the file has no reason @why",
	} {
		path := write(t, t.TempDir(), "p.txt", "# first\n"+text+"\n")
		_, err := ReadBars(path)
		assert.ErrorContains(t, err, want, text)
		assert.ErrorContains(t, err, "p.txt:2: ", text)
	}
}

func TestBarMatches(t *testing.T) {
	for _, c := range []struct {
		bar, key string
		cpus     int
		want     bool
	}{
		{"g/a", "g/a", 2, true},
		{"g/a", "g/ab", 2, false},
		{"g/a", "xg/a", 2, false},
		{"g/a-8", "g/a", 8, true},
		{"g/a-8", "g/a", 2, false},
		{"g/.*", "g/a/b=c", 2, true},
		{"g/w=(0|1)%", "g/w=1%", 2, true},
		{"g/a+b", "g/a+b", 2, true}, // literally, although it is a regular expression too
		{"g/(a|b)-8", "g/b", 8, true},
	} {
		b, err := parseBar(c.bar + " x ns/op 1")
		require.NoError(t, err)
		assert.Equal(t, c.want, b.Matches(c.key, c.cpus), "%+v", c)
	}
}

// In the terms of the bar: a share's interval is that of the ratio upside down.
func TestCheckOfAShare(t *testing.T) {
	b, err := parseBar("g/a x ns/op <=0.35")
	require.NoError(t, err)
	lo, hi := 2.0, 5.0
	rows := []Row{
		{Group: "g", Case: "a", Impl: "us", Baseline: "x", Lead: true, CPUs: 2, Rounds: 9, Ratios: map[string]*Ratio{"ns/op": {Value: 4, Lo: &lo, Hi: &hi}}},
		{Group: "g", Case: "a", Impl: "x", CPUs: 2, Rounds: 9},
	}
	c := CheckBars([]Bar{b}, &Run{Rows: rows}, nil, 1)
	require.Len(t, c, 1)
	assert.Equal(t, []float64{0.25, 0.2, 0.5}, []float64{c[0].Got, c[0].Lo, c[0].Hi})
	assert.True(t, c[0].Met)
	rows[0].Ratios["ns/op"].Value = 2.7 // a share of 0.37: missed, but within the slack
	hi = 2.8
	c = CheckBars([]Bar{b}, &Run{Rows: rows}, nil, 0.95)
	assert.False(t, c[0].Met)
	assert.False(t, c[0].Short)
	c = CheckBars([]Bar{b}, &Run{Rows: rows}, nil, 1)
	assert.True(t, c[0].Short)

	rows[0].Ratios["ns/op"].Value, hi = 1.2, 1.3 // missed in spite of the slack,
	c = CheckBars([]Bar{b}, &Run{Rows: rows}, nil, 0.5)
	assert.True(t, c[0].Short)
	hi = 1.5 // but not for certain
	c = CheckBars([]Bar{b}, &Run{Rows: rows}, nil, 0.5)
	assert.False(t, c[0].Short)
	c = CheckBars([]Bar{b}, &Run{Rows: rows}, nil, 1)
	assert.True(t, c[0].Short, "without slack the median counts")
}

func TestKindsOfBars(t *testing.T) {
	for line, want := range map[string]Kind{
		"g/a x ns/op 2":               Comparison,
		"g/a x allocs/op <=0.5":       Comparison,
		"g/a floor:add ns/op <=2":     AtFloor,
		"g/a floor:add max-ns <=2":    AtFloor,
		"g/a floor ns/op <=2":         Comparison, // an implementation of the case
		"g/a - max-ns <=2":            OwnFigure,
		"g/a - allocs/op <=1":         OwnFigure,
		"g/a - allocs/op <=0":         NoAlloc,
		"g/a floorboards:x ns/op <=2": Comparison,
	} {
		b, err := parseBar(line)
		require.NoError(t, err)
		assert.Equal(t, want, b.Kind(), line)
	}
}

// A reason is told once and named by every bar of its kind.
func TestReasons(t *testing.T) {
	path := write(t, t.TempDir(), "p.txt", "@two-locked To lock and\n@two-locked\tto unlock.\nx/a c ns/op 1 # @two-locked\nx/b c ns/op 1 # @two-locked; tried this\nx/c c ns/op 1 # as above\nx/d c ns/op 1 # no reason @two-locked\n")
	bars, err := ReadBars(path)
	require.NoError(t, err)
	assert.Equal(t, &Reason{"two-locked", "To lock and to unlock."}, bars[0].Reason)
	assert.Same(t, bars[0].Reason, bars[1].Reason)
	assert.Same(t, bars[0].Reason, bars[2].Reason)
	assert.Nil(t, bars[3].Reason)
	assert.Equal(t, []string{"", "tried this", "tried this", "no reason @two-locked"}, []string{bars[0].Note, bars[1].Note, bars[2].Note, bars[3].Note})

	_, err = ReadBars(write(t, t.TempDir(), "q.txt", "@why not\nx/a c ns/op 1\n"))
	assert.ErrorContains(t, err, "no bar refers to the reason @why")
	_, err = ReadBars(write(t, t.TempDir(), "q.txt", "@why not\n"))
	assert.ErrorContains(t, err, "q.txt: no bar refers to the reason @why")
}

func TestCount(t *testing.T) {
	bars := make([]Bar, 0, 4)
	for _, line := range []string{"g/a x ns/op 2", "g/a floor:add ns/op <=2", "g/a - max-ns <=2", "g/a - allocs/op <=0"} {
		b, err := parseBar(line)
		require.NoError(t, err)
		bars = append(bars, b)
	}
	checks := []Check{
		{Bar: &bars[0], Met: true},
		{Bar: &bars[0]},
		{Bar: &bars[0], Short: true},
		{Bar: &bars[0], Skipped: true},
		{Bar: &bars[0], Skipped: true, Short: true},
		{Bar: &bars[1], Met: true},
		{Bar: &bars[2], Short: true},
		{Bar: &bars[3], Met: true},
	}
	assert.Equal(t, Tally{Met: [numKinds]int{1, 1, 0, 1}, Missed: [numKinds]int{2, 0, 1, 0}, Out: 2}, Count(checks, false))
	assert.Equal(t, Tally{Met: [numKinds]int{2, 1, 0, 1}, Missed: [numKinds]int{2, 0, 1, 0}, Out: 1}, Count(checks, true), "within the slack is met, unmeasured and short is short")
}

// The floor at the case's own GOMAXPROCS is taken where there is one.
func TestFloorAtTheSameCPUs(t *testing.T) {
	b, err := parseBar("g/a floor:add ns/op <=3")
	require.NoError(t, err)
	six := func(v float64) map[string][]float64 { return map[string][]float64{NsPerOp: {v, v, 0, v, v, v, v}} }
	r := &Run{Rows: []Row{
		{Group: "g", Case: "a", Impl: "us", Lead: true, CPUs: 8, Rounds: 7, ByRound: six(30)},
		{Group: "floor", Case: "p", Impl: "add", CPUs: 2, Rounds: 7, ByRound: six(5)},
		{Group: "floor", Case: "p", Impl: "add", CPUs: 8, Rounds: 7, ByRound: six(10)},
	}}
	c := CheckBars([]Bar{b}, r, nil, 1)[0]
	assert.True(t, c.Met)
	assert.Equal(t, []float64{3, 3, 3}, []float64{c.Got, c.Lo, c.Hi})
	r.Rows[0].CPUs = 4
	assert.Equal(t, 6.0, CheckBars([]Bar{b}, r, nil, 1)[0].Got, "else the first")
	r.Rows[1].Impl, r.Rows[2].Impl = "cas", "cas"
	c = CheckBars([]Bar{b}, r, nil, 1)[0]
	assert.True(t, c.Short)
	assert.Equal(t, "the floor has no add", c.Why)
}
