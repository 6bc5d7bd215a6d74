package result

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func pairRow(name string, ratio, lo, hi float64) Row {
	return Row{Group: "g", Case: name, Impl: "us", Baseline: "x", Lead: true, CPUs: 2, Rounds: 9, NsPerOp: 10, Ratio: &Ratio{Value: ratio, Lo: &lo, Hi: &hi}}
}

func TestCompare(t *testing.T) {
	old := []Row{
		pairRow("same", 4, 3.9, 4.1), pairRow("slower", 4, 3.9, 4.1), pairRow("noise", 4, 3, 5),
		pairRow("faster", 4, 3.9, 4.1), pairRow("gone", 4, 3.9, 4.1),
		{Group: "g", Case: "alone", Impl: "us", Lead: true, CPUs: 2, Rounds: 9, NsPerOp: 10},
		{Group: "g", Case: "slower", Impl: "x", CPUs: 2, Rounds: 9, NsPerOp: 10},
	}
	now := []Row{
		pairRow("same", 4.1, 4, 4.2), pairRow("slower", 2, 1.9, 2.1), pairRow("noise", 3.5, 3, 4),
		pairRow("faster", 8, 7, 9), pairRow("new", 1, 1, 1),
		{Group: "g", Case: "alone", Impl: "us", Lead: true, CPUs: 2, Rounds: 9, NsPerOp: 13},
		{Group: "g", Case: "slower", Impl: "x", CPUs: 2, Rounds: 9, NsPerOp: 100}, // a baseline's own time is no news
	}
	changes, common := Compare(old, now)
	assert.Equal(t, 5, common)
	var got []string
	for _, c := range changes {
		got = append(got, c.Row.Case)
	}
	assert.Equal(t, []string{"slower", "alone", "noise", "faster"}, got, "the most slowed down first")
	assert.Equal(t, 2.0, changes[0].Times)
	assert.Equal(t, []bool{true, false, false, true}, []bool{changes[0].Sure, changes[1].Sure, changes[2].Sure, changes[3].Sure})
	assert.False(t, changes[1].Paired)
	assert.Equal(t, 0.5, changes[3].Times)
}

func TestSaveAndLoad(t *testing.T) {
	dir := t.TempDir()
	r := &Run{
		Info: Info{Command: "go run -C bench . <x>", Machine: Machine{Cores: 2}, Started: time.Unix(9, 0).UTC(), Rounds: 3},
		Rows: []Row{pairRow("a", 2, 1, 3), {Group: "g", Case: "a", Impl: "x", Failed: "lost \"one\"", CPUs: 2}},
	}
	require.NoError(t, r.Save(dir))
	got, err := Load(filepath.Join(dir, RowsFile))
	require.NoError(t, err)
	assert.Equal(t, r, got)

	require.NoError(t, os.Remove(filepath.Join(dir, InfoFile)))
	got, err = Load(filepath.Join(dir, RowsFile))
	require.NoError(t, err, "the rows stand by themselves")
	assert.Equal(t, r.Rows, got.Rows)
}

func TestLoadRefuses(t *testing.T) {
	for _, text := range []string{"", "{}", `[{"group":"g"}]`, "[1]"} {
		_, err := Load(write(t, t.TempDir(), "r.json", text))
		assert.Error(t, err, "%q", text)
	}
}

func TestNoRowsAreAnEmptyList(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteJSON(&b, nil))
	assert.Equal(t, "[]", strings.TrimSpace(b.String()))
}
