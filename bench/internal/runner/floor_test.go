package runner

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/internal/compare"
)

// floorCases are fakeCases with a floor: an atomic instruction takes half of the
// time of poundlock's op, a hand-off twice of it.
func floorCases() []compare.Case {
	return append(fakeCases(), compare.Case{
		Group: "floor", Name: "primitives", Doc: "One op is one primitive.",
		Impls: []compare.Impl{{Name: "x0.5", Bench: nop}, {Name: "x2", Bench: nop}},
	})
}

// runFloor runs the command on floorCases, held against bars.
func runFloor(t *testing.T, f *fakeLaunch, bars string, args ...string) (status int, stderr, table string) {
	t.Helper()
	file := barFile(t, bars)
	out := filepath.Join(filepath.Dir(file), "BARS.md")
	var stdout, errs bytes.Buffer
	status = command{
		cases: all(floorCases()), launch: f.launch, stdout: &stdout, stderr: &errs,
		args: append([]string{"-out", filepath.Dir(file), "-seed", "1", "-fail-below", file, "-bars", out}, args...),
	}.run(context.Background())
	text, err := os.ReadFile(out)
	require.NoError(t, err, errs.String())
	return status, errs.String(), string(text)
}

// A bar against the floor measures the floor in the same rounds, and is a ratio with
// an interval as any other.
func TestBarsAgainstTheFloor(t *testing.T) {
	const bars = "locks/rw floor:x0.5 ns/op <=2.2 # @two\n@two Two instructions.\npool/wait floor:x2 p50-ns <=1.6\n"
	f := &fakeLaunch{}
	status, stderr, table := runFloor(t, f, bars, "-rounds", "8", "-run", "locks")
	assert.Equal(t, statusOK, status, stderr)
	assert.Equal(t, 8*(2+2), f.n, "the case and the floor")
	assert.Contains(t, stderr, "bars: 0 reached, 0 short, 1 not measured\n  1 of 1 against the floor\n")
	assert.Regexp(t, "\\| `locks/rw-\\d+` \\| x0.5 \\(floor\\) \\| ns/op \\| ≤ 2.2 × \\| 2.00 × \\| [12].\\d+–2.\\d+ \\| met \\| \\*\\*two\\*\\* \\|\n", table)
	assert.Contains(t, table, "\n**two**: Two instructions.\n")

	status, stderr, _ = runFloor(t, &fakeLaunch{}, strings.ReplaceAll(bars, "2.2", "1.9"), "-rounds", "8")
	assert.Equal(t, statusShort, status)
	assert.Regexp(t, `SHORT .*against floor:x0.5 <=1.9 ×: (2|1.99|2.0)`, stderr)
	assert.Contains(t, stderr, "1 of 2 against the floor", "poundlock's p50 is 300 ns, a hand-off takes 200")

	f = &fakeLaunch{}
	status, stderr, _ = runFloor(t, f, "locks/rw x4 ns/op 2\n", "-rounds", "2", "-run", "locks")
	assert.Equal(t, statusOK, status, stderr)
	assert.Equal(t, 2*2, f.n, "nothing needs the floor")
}

func TestBarsAgainstTheFloorInKeptRuns(t *testing.T) {
	_, dir, _, _ := runCommand(t, &fakeLaunch{}, "-rounds", "6") // which has no floor
	_, stderr, table := runFloor(t, &fakeLaunch{}, "locks/rw floor:x0.5 ns/op <=2.2\n", "-from", filepath.Join(dir, "results.json"))
	assert.Contains(t, stderr, "1 not measured")
	assert.Contains(t, table, "the floor was not measured")
	assert.NotContains(t, table, "**missed**")
}

func TestVerifyFindsAPrimitiveThatIsNotThere(t *testing.T) {
	groups := groupsOf(floorCases())
	require.NoError(t, Verify([]string{barFile(t, "locks/rw floor:x0.5 ns/op <=2.2\n")}, groups...))
	require.ErrorContains(t, Verify([]string{barFile(t, "locks/rw floor:x3 ns/op <=2.2\n")}, groups...), "the group floor has no implementation x3")
}
