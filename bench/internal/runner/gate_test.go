package runner

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// barFile writes a bar file and returns its path.
func barFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pool.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func TestFailBelow(t *testing.T) {
	const ok, bad = statusOK, statusShort
	for _, c := range []struct {
		bars string
		args []string
		want int
		says string
	}{
		{bars: "pool/empty/workers=2 x4 ns/op 3", want: ok, says: "bars: 2 reached, 0 short"},
		{bars: "pool/empty/workers=2-1 x4 ns/op 3", want: ok, says: "bars: 1 reached, 0 short"},
		{bars: "pool/.* x2 ns/op 1.5 # all", want: ok, says: "bars: 3 reached"},
		{bars: "pool/empty.* x4 ns/op <=0.3", want: ok, says: "bars: 2 reached"},
		{bars: "pool/wait x2 p50-ns 1.5\npool/wait - allocs/op <= 0", want: ok, says: "bars: 1 reached, 0 short, 0 not measured\n  1 of 1 without allocations\n"},
		{bars: "pool/empty.* x10 ns/op 5", want: ok, says: "bars: 2 reached"}, // not a declared baseline
		{bars: "pool/wait - p99-ns <=1e6\npool/wait - p99/p50 <=3.1", want: ok, says: "bars: 0 reached, 0 short, 0 not measured\n  2 of 2 figures\n"},
		{bars: "pool/empty/workers=2 x4 ns/op 5", want: bad, says: "pool.txt:1: pool/empty/workers=2-1: ns/op against x4 >=5 ×: "},
		{bars: "pool/empty/workers=2 x4 ns/op <=0.2", want: bad, says: "<=0.2 ×: 0.2"},
		{bars: "pool/wait - allocs/op <=0\npool/wait - B/op <=7", want: bad, says: "pool.txt:2: pool/wait-"},
		{bars: "pool/empty/workers=2 x4 ns/op 4.4", args: []string{"-slack", "0.8"}, want: ok, says: "slack 0.8"},
		{bars: "pool/empty/workers=2 x4 ns/op 6", args: []string{"-slack", "0.8"}, want: bad, says: "2 short"},
		{bars: "pool/nosuch x4 ns/op 1", want: bad, says: "no case has this name"},
		{bars: "pool/wait x3 ns/op 1", want: bad, says: "no implementation x3"},
		{bars: "pool/wait x2 tea/op 1", want: bad, says: "no ratio of tea/op"},
		{bars: "pool/wait - tea/op <=1", want: bad, says: "poundlock has no tea/op"},
		{bars: "pool/wait x2 ns/op 100", args: []string{"-run", "locks"}, want: ok, says: "0 reached, 0 short, 1 not measured"},
		{bars: "pool/wait x2 ns/op 100", args: []string{"-quick"}, want: ok, says: "1 not measured"},
		{bars: "pool/empty/workers=2-1 x2 ns/op 100", args: []string{"-cpu", "2"}, want: ok, says: "1 not measured"},
	} {
		args := append([]string{"-rounds", "6", "-fail-below", barFile(t, c.bars)}, c.args...)
		status, _, _, stderr := runCommand(t, &fakeLaunch{}, args...)
		assert.Equal(t, c.want, status, "%q: %s", c.bars, stderr)
		assert.Contains(t, stderr, c.says, "%q", c.bars)
	}
}

func TestFailBelowWithAFailedBaseline(t *testing.T) {
	status, _, _, stderr := runCommand(t, &fakeLaunch{fail: "x4"}, "-rounds", "2", "-run", "rw", "-fail-below", barFile(t, "locks/rw x4 ns/op 1"))
	assert.Equal(t, statusShort, status)
	assert.Contains(t, stderr, "SHORT")
	assert.Contains(t, stderr, "x4 failed: 1 of 7 tasks ran")
}

// What an interrupt left unmeasured is neither met nor missed, and a table of bars
// and a README say nothing of it.
func TestFailBelowAfterAnInterrupt(t *testing.T) {
	for after := 1; after < 12; after++ {
		bars := barFile(t, "pool/empty/workers=2 x4 ns/op 1\nlocks/rw x4 ns/op 1\npool/wait x2 p50-ns 1\npool/wait - allocs/op <=0\n")
		table := filepath.Join(filepath.Dir(bars), "BARS.md")
		readme := filepath.Join(filepath.Dir(bars), "README.md")
		const text = "<!-- bench pool -->\nas it was\n<!-- /bench -->\n"
		require.NoError(t, os.WriteFile(readme, []byte(text), 0o644))
		status, _, _, stderr := runCommand(t, &fakeLaunch{after: after}, "-rounds", "2", "-fail-below", bars, "-bars", table, "-update", readme)
		assert.Equal(t, statusInterrupted, status)
		assert.NotContains(t, stderr, "SHORT")
		want := `bars: \d reached, 0 short, \d not measured`
		if after < 4 {
			want = `bars: \d reached, 0 short, [1-5] not measured`
		}
		assert.Regexp(t, want, stderr, "after %d", after)
		got, err := os.ReadFile(table)
		require.NoError(t, err)
		assert.NotContains(t, string(got), "missed**")
		assert.Contains(t, string(got), "interrupted after 0 of 2 rounds")
		got, err = os.ReadFile(readme)
		require.NoError(t, err)
		assert.Equal(t, text, string(got))
		assert.Contains(t, stderr, "README.md is left as it was: the run was interrupted after 0 of 2 rounds")
	}
}

// But a case that was to be measured, and was not for want of time, is no pass.
func TestFailBelowWhenOutOfTime(t *testing.T) {
	bars, err := result.ReadBars(barFile(t, "pool/wait x2 p50-ns 1"))
	require.NoError(t, err)
	c := result.CheckBars(bars, &result.Run{Info: result.Info{Ended: "out of time after 0 of 2 rounds"}}, []result.Known{{Key: "pool/wait", CPUs: 2, Chosen: true}}, 1)
	assert.True(t, c[0].Short)
	assert.True(t, c[0].Skipped, "nor is it a bar missed")
}

// Everything that can be made of a run can be made of its files later.
func TestFromSavedRun(t *testing.T) {
	status, dir, want, _ := runCommand(t, &fakeLaunch{}, "-rounds", "6", "-format", "markdown")
	require.Equal(t, statusOK, status)
	saved := filepath.Join(dir, "results.json")
	bars := filepath.Join(t.TempDir(), "BARS.md")
	readme := filepath.Join(t.TempDir(), "README.md")
	require.NoError(t, os.WriteFile(readme, []byte("# Title\n<!-- bench ^locks/ -->\nstale figures\n<!-- /bench -->\nrest\n"), 0o644))

	f := &fakeLaunch{}
	status, _, got, stderr := runCommand(t, f, "-from", saved, "-format", "markdown", "-bars", bars, "-update", readme,
		"-fail-below", barFile(t, "pool/empty/.* x4 ns/op 3 # as promised\npool/wait x2 p50-ns 5\nlocks/rw - allocs/op <=0\n"), "-compare", saved)
	assert.Equal(t, statusShort, status)
	assert.Zero(t, f.n, "nothing is measured")
	assert.Equal(t, want, got)
	assert.Contains(t, stderr, "bars: 2 reached, 1 short")
	assert.Contains(t, stderr, "slower than before: 0 of")

	table, err := os.ReadFile(bars)
	require.NoError(t, err)
	assert.Contains(t, string(table), "| **all** | **2** | **1** |  |  | **1 of 1** | **0** |")
	assert.Contains(t, string(table), "| `pool/empty/workers=2-1` | x4 | ns/op | ≥ 3 × | ")
	assert.Contains(t, string(table), "| **missed** |")
	assert.NotContains(t, string(table), "as promised", "a note is for what is missed")

	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "stale")
	assert.NotContains(t, string(text), "pool")
	assert.Contains(t, string(text), "| rw | 1")
	assert.Contains(t, string(text), "<!-- /bench -->\nrest\n")
}

func TestCompareTellsWhatGotSlower(t *testing.T) {
	_, dir, _, _ := runCommand(t, &fakeLaunch{}, "-rounds", "8")
	path := filepath.Join(dir, "results.json")
	r, err := result.Load(path)
	require.NoError(t, err)
	for i := range r.Rows { // once we were twice as fast
		if q := r.Rows[i].Ratio; q != nil && r.Rows[i].Group == "locks" {
			lo, hi := 2**q.Lo, 2**q.Hi
			r.Rows[i].Ratio = &result.Ratio{Value: 2 * q.Value, Lo: &lo, Hi: &hi}
		}
	}
	require.NoError(t, r.Save(dir))
	status, _, _, stderr := runCommand(t, &fakeLaunch{}, "-rounds", "8", "-compare", path)
	assert.Equal(t, statusOK, status)
	assert.Contains(t, stderr, "slower than before: 1 of")
	assert.Regexp(t, `locks/rw-\d+ poundlock +against x4 +[78]\.\d+× → [34]\.\d+× +[12]\.\d+× as long +sure`, stderr)
}
