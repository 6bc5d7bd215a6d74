package report

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// barsDir makes the directories of a repository with the bar files given.
func barsDir(t *testing.T, files map[string]string) (dir, table string) {
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir, filepath.Join(dir, "BARS.md")
}

// hold writes the table of a run held against bar files and returns its text.
func hold(t *testing.T, table string, r *result.Run, files ...string) string {
	t.Helper()
	var known []result.Known
	for _, row := range sampleRun().Rows {
		known = append(known, result.Known{Key: row.Key(), CPUs: row.CPUs})
	}
	for i := range files {
		files[i] = filepath.Join(filepath.Dir(table), filepath.FromSlash(files[i]))
	}
	bars, err := result.ReadBars(files...)
	require.NoError(t, err)
	require.NoError(t, Bars(table, r, result.CheckBars(bars, r, known, 1)))
	text, err := os.ReadFile(table)
	require.NoError(t, err)
	return string(text)
}

func TestBarsTable(t *testing.T) {
	_, table := barsDir(t, map[string]string{"bars/workerpool.txt": `
workerpool/empty.*-8 ants ns/op 12 # for nobody to read: it is met
workerpool/latency chan p99-ns <=0.5 # tried | pipes
workerpool/latency ants p99-ns <=0.01 # as above
x/y z ns/op 1
`})
	s := hold(t, table, sampleRun(), "bars/workerpool.txt")
	assert.Contains(t, s, "| [workerpool](#workerpool) | 1 | 3 |  |  |  | 0 |\n| **all** | **1** | **3** |  |  |  | **0** |\n")
	assert.Contains(t, s, "\n## workerpool\n")
	assert.Contains(t, s, "From [bars/workerpool.txt](bars/workerpool.txt), by `go run -C bench . -run 'a|b'` on linux/amd64")
	assert.Contains(t, s, "| `workerpool/empty/workers=8-8` | ants | ns/op | ≥ 12 × | 18.0 × | 16.2–21.6 | met |  |\n")
	assert.Contains(t, s, "| `workerpool/latency-2` | chan | p99-ns | ≤ 0.5 × | 1.33 × |  | **missed** | tried \\| pipes |\n")
	assert.Contains(t, s, "| `workerpool/latency-2` | ants | p99-ns | ≤ 0.01 × | 0.111 × |  | **missed** | as above |\n")
	assert.Contains(t, s, "| `x/y` | z | ns/op | ≥ 1 × | no case has this name |  | **missed** | not yet told |")
	assert.Empty(t, regexp.MustCompile(`NaN|Inf`).FindString(s))
}

// What is no comparison is counted apart, and what is told once is said once.
func TestBarsThatAreNoComparisons(t *testing.T) {
	_, table := barsDir(t, map[string]string{"bars/locks.txt": `
@two-locked An op is two locked instructions.
locks/rw.* floor:atomic ns/op <=16 # @two-locked
locks/rw.* floor:atomic ns/op <=8 # @two-locked; tried one
locks/rw.* floor:extra ns/op <=1 # @two-locked; as one
locks/rw.* sync.RWMutex ns/op 1 # @two-locked
locks/rw.* - ns/op <=40
locks/rw.* - B/op <=8
locks/rw.* - allocs/op <=0
workerpool/latency - allocs/op <=0
locks/lost sync.RWMutex ns/op 1
`})
	r := sampleRun()
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Group == "floor" || row.Group == "locks" {
			row.ByRound = map[string][]float64{"ns/op": {row.NsPerOp, row.NsPerOp, row.NsPerOp, row.NsPerOp, row.NsPerOp, row.NsPerOp}}
		}
		if row.Group == "locks" {
			row.AllocsPerOp = 0
		}
	}
	s := hold(t, table, r, "bars/locks.txt")
	assert.Contains(t, s, "| [locks](#locks) | 0 | 2 | 1 of 3 | 1 of 2 | 1 of 2 | 0 |\n| **all** | **0** | **2** | **1 of 3** | **1 of 2** | **1 of 2** | **0** |\n")
	assert.Contains(t, s, "<!-- bars bars/locks.txt: 0 met, 2 missed, 1/3 floor, 1/2 figures, 1/2 allocations, 0 not measured -->")
	assert.Contains(t, s, "| `locks/rw/writes=10%-2` | atomic (floor) | ns/op | ≤ 16 × | 15.0 × | 15.0–15.0 | met | **two-locked** |\n")
	assert.Contains(t, s, "| ≤ 8 × | 15.0 × | 15.0–15.0 | **missed** | **two-locked**: tried one |\n")
	assert.Contains(t, s, "| `locks/rw/writes=10%-2` | sync.RWMutex | ns/op | ≥ 1 × | 0.667 × | 0.600–0.800 | **missed** | **two-locked** |\n")
	assert.Equal(t, 1, strings.Count(s, "An op is two locked instructions."))
	assert.Contains(t, s, "\n\n**two-locked**: An op is two locked instructions.\n")
	assert.Contains(t, s, "\nNo allocation, as asked, in 1 case: `locks/rw/writes=10%-2`.\n")
	assert.Contains(t, s, "| `workerpool/latency-2` | the figure itself | allocs/op | ≤ 0 | 1.00 |  | **missed** | not yet told |\n")

	again, err := readSections(table)
	require.NoError(t, err)
	require.Len(t, again, 1)
	assert.Equal(t, []string{"0", "2", "1 of 3", "1 of 2", "1 of 2", "0"}, again[0].counts(), "as they were written")
}

// Tables made before kinds were counted apart can still be renewed.
func TestOldSectionMarks(t *testing.T) {
	table := filepath.Join(t.TempDir(), "BARS.md")
	require.NoError(t, os.WriteFile(table, []byte("# Bars\n\n## p\n\n<!-- bars p.txt: 3 met, 2 missed, 1 not measured -->\nbody\n<!-- /bars -->\n"), 0o644))
	s, err := readSections(table)
	require.NoError(t, err)
	require.Len(t, s, 1)
	assert.Equal(t, []string{"3", "2", "", "", "", "1"}, s[0].counts())
	assert.Equal(t, "body\n", s[0].body)
}

// An interrupted run tells of what it measured, but puts no half of a section in
// the place of a whole one.
func TestBarsOfAnInterruptedRun(t *testing.T) {
	_, table := barsDir(t, map[string]string{
		"bars/workerpool.txt": "workerpool/latency chan p99-ns <=0.5\n",
		"bars/locks.txt":      "locks/rw.* sync.RWMutex ns/op 1\nlocks/lost x ns/op 1\n",
	})
	whole := hold(t, table, sampleRun(), "bars/workerpool.txt", "bars/locks.txt")
	r := sampleRun()
	r.Info.Interrupted, r.Info.Ended = true, "interrupted after 0 of 12 rounds"
	r.Rows = slices.DeleteFunc(r.Rows, func(row result.Row) bool { return row.Case == "lost" })
	part := hold(t, table, r, "bars/workerpool.txt", "bars/locks.txt")
	section := func(s, name string) string {
		_, s, _ = strings.Cut(s, "\n## "+name+"\n")
		s, _, _ = strings.Cut(s, sectionEnd)
		return s
	}
	assert.Equal(t, section(whole, "locks"), section(part, "locks"))
	assert.Contains(t, section(part, "workerpool"), "; interrupted after 0 of 12 rounds.")
}

// Every run renews the sections of its own bar files; the others stay to the byte.
func TestBarsOfSeveralRuns(t *testing.T) {
	_, table := barsDir(t, map[string]string{
		"bars/workerpool.txt":       "workerpool/latency chan p99-ns <=0.5\n",
		"bars/locks.txt":            "locks/rw.* sync.RWMutex ns/op 1\n",
		"bars/portable/locks.txt":   "locks/rw.* sync.RWMutex ns/op 0.5\n",
		"peers/bars/workerpool.txt": "workerpool/latency ants p99-ns 1\n",
	})
	first := hold(t, table, sampleRun(), "bars/workerpool.txt", "bars/locks.txt")
	r := sampleRun()
	r.Info.Command = "go run -C bench/peers ."
	second := hold(t, table, r, "peers/bars/workerpool.txt", "bars/portable/locks.txt")

	sections := func(s string) []string { return strings.Split(s, "\n## ")[1:] }
	titles := func(s string) (v []string) {
		for _, x := range sections(s) {
			title, _, _ := strings.Cut(x, "\n")
			v = append(v, title)
		}
		return v
	}
	assert.Equal(t, []string{"locks", "workerpool"}, titles(first))
	assert.Equal(t, []string{"locks", "workerpool", "peers workerpool", "portable locks"}, titles(second))
	assert.Equal(t, sections(first), append(sections(second)[:1:1], strings.TrimSuffix(sections(second)[1], "\n")+"\n"))
	assert.Contains(t, second, "| [peers workerpool](#peers-workerpool) | 1 | 0 |  |  |  | 0 |\n")
	assert.Contains(t, second, "From [peers/bars/workerpool.txt](peers/bars/workerpool.txt), by `go run -C bench/peers .`")
	assert.Contains(t, second, "| **all** | **2** | **2** |  |  |  | **0** |\n")

	again := hold(t, table, r, "peers/bars/workerpool.txt", "bars/portable/locks.txt")
	assert.Equal(t, second, again)

	// A run of one package, held against all: what it did not measure is kept.
	r.Rows = slices.DeleteFunc(r.Rows, func(row result.Row) bool { return row.Group != "locks" })
	part := hold(t, table, r, "bars/workerpool.txt", "bars/locks.txt")
	assert.Equal(t, sections(second)[1], sections(part)[1])
	assert.NotEqual(t, sections(second)[0], sections(part)[0])
	assert.Contains(t, sections(part)[0], "by `go run -C bench/peers .`")
}

func TestBarsRefuses(t *testing.T) {
	_, table := barsDir(t, map[string]string{"bars/p.txt": "locks/rw.* sync.RWMutex ns/op 1\n"})
	for text, want := range map[string]string{
		"# My notes\n": "is no table of bars",
		"# Bars\n<!-- bars bars/p.txt: 1 met, 0 missed, 0 not measured -->\nand no end": "bars/p.txt has no <!-- /bars -->",
	} {
		require.NoError(t, os.WriteFile(table, []byte(text), 0o644))
		assert.ErrorContains(t, CheckBarsFile(table), want)
		assert.ErrorContains(t, Bars(table, sampleRun(), nil), want)
		after, err := os.ReadFile(table)
		require.NoError(t, err)
		assert.Equal(t, text, string(after), "the file is left alone")
	}
	require.NoError(t, os.WriteFile(table, nil, 0o644))
	require.NoError(t, CheckBarsFile(table))
	fresh := filepath.Join(t.TempDir(), "new.md")
	require.NoError(t, CheckBarsFile(fresh))
	assert.NoFileExists(t, fresh)
	require.Error(t, CheckBarsFile(filepath.Join(t.TempDir(), "no", "new.md")))
}
