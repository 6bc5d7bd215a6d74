package report

import (
	"encoding/csv"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFigure(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{0, "ns/op", "0 ns"},
		{2.345, "ns/op", "2.35 ns"},
		{999.7, "p99-ns", "1.00 µs"},
		{1234, "cpu-ns/op", "1.23 µs"},
		{5e12, "max-ns", "5000 s"},
		{26.3e6, "peak-bytes", "26.3 MB"},
		{7.5, "B/op", "7.50 B"},
		{0.5, "allocs/op", "0.500"},
		{0.001, "x", "0.001"},
		{math.NaN(), "x", "–"},
	} {
		assert.Equal(t, c.want, strings.ReplaceAll(figure(c.v, c.unit), "\u00a0", " "))
	}
	assert.Equal(t, "12.4×", times(12.36))
	assert.Equal(t, "–", times(math.Inf(1)))
}

func TestTable(t *testing.T) {
	var b strings.Builder
	require.NoError(t, Print(&b, sampleRun(), "table"))
	s := strings.ReplaceAll(b.String(), "\u00a0", " ")
	assert.Contains(t, s, "workerpool/empty/workers=8 · GOMAXPROCS 8 (12 rounds)\n")
	assert.Regexp(t, `(?m)^  ants +900 ns +1\.80 µs +24\.0 B +1\.00 .* 18\.0× \(16\.2–21\.6\)$`, s)
	assert.Contains(t, s, "  x FAILED: 1 of 3 <ran>; and a second line\n")
	assert.Contains(t, s, "poundlock !")
	assert.Contains(t, s, "! a core was taken away")
	assert.Regexp(t, `(?m)^  workerpool +4 +4 +0 +0 `, s)
	assert.Error(t, Print(&b, sampleRun(), "xml"))
}

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	require.NoError(t, Print(&b, sampleRun(), "markdown"))
	s := strings.ReplaceAll(b.String(), "\u00a0", " ")
	assert.Contains(t, s, "| workerpool | poundlock | chan | ants | extra | a-name-that-is-far-too-long |\n|---|---:|---:|---:|---:|---:|\n")
	assert.Contains(t, s, "| empty/workers=8 · GOMAXPROCS 2 | 50.0 ns | 75.0 ns **1.50×** ±20% | 900 ns **18.0×** ±20% |")
	assert.Contains(t, s, "| latency, p99 latency | 4.50 µs | 6.75 µs **0.750×** |")
	assert.Contains(t, s, "| lost | 5.00 ns |  | failed | skipped |")
	assert.Contains(t, s, "| floor | atomic | extra |", "cases led by another implementation have their own table")
	assert.Contains(t, s, "Measured with `go run -C bench . -run 'a|b'` on linux/amd64, go1.26, 2 cores, A CPU")
	for table := range strings.SplitSeq(s, "\n\n") {
		n := -1
		for line := range strings.Lines(table) {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			if n < 0 {
				n = strings.Count(line, "|")
			}
			assert.Equal(t, n, strings.Count(line, "|"), "columns of %q", line)
		}
	}
}

func TestCSV(t *testing.T) {
	var b strings.Builder
	require.NoError(t, Print(&b, sampleRun(), "csv"))
	lines, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	require.NoError(t, err)
	assert.Len(t, lines, 1+len(sampleRun().Rows))
	assert.Equal(t, "group", lines[0][0])
	assert.Contains(t, lines[0], "p999-ns")
}
