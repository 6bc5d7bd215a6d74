package report

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// widest returns the longest line.
func widest(s string) (line string) {
	for l := range strings.Lines(s) {
		if l = strings.TrimRight(l, "\n"); utf8.RuneCountInString(l) > utf8.RuneCountInString(line) {
			line = l
		}
	}
	return line
}

func TestSummary(t *testing.T) {
	r := sampleRun()
	lo, hi := 0.9, 1.2
	long := result.Row{
		Group: "locks", Case: "contended/goroutines=64/conns=4/section=100us", Impl: "poundlock", Baseline: "a-name-that-is-far-too-long", Lead: true, CPUs: 8, Rounds: 2, NsPerOp: 1,
		Compare: []string{"p50-ns"}, Ratio: &result.Ratio{Value: 1}, Ratios: map[string]*result.Ratio{"p50-ns": {Value: 1, Lo: &lo, Hi: &hi}},
	}
	r.Rows = append(r.Rows, long)
	r.Info.Ended = "interrupted after 3 of 12 rounds"
	var b strings.Builder
	require.NoError(t, Print(&b, r, "summary"))
	s := strings.ReplaceAll(b.String(), "\u00a0", " ")
	assert.LessOrEqual(t, utf8.RuneCountInString(widest(s)), terminalWidth, widest(s))
	assert.Regexp(t, `(?m)^Behind the best alternative \(1 of 6 cases\)\n  locks\n    rw/writes=10% +sync.RWMutex +0.667× \(0.600–0.800\)$`, s)
	assert.Contains(t, s, "Level: the 95 % interval includes 1×, or too few rounds (1 of 6 cases)\n")
	assert.Regexp(t, `\n    contended/goroutines=64/conns=4/section=100us · GOMAXPROCS 8, median latency\n +a-name-that-is-f… +1.00× \(0.900–1.20\)\n`, s)
	assert.Regexp(t, `(?m)^  workerpool +4 +4 +0 +0 +1.50× +1.50× +1.50×$`, s)
	assert.Regexp(t, `(?m)^  all +6 +4 +1 +1$`, s)
	assert.Contains(t, s, "interrupted after 3 of 12 rounds: ")
	assert.Contains(t, s, "locks/lost: x FAILED: 1 of 3 <ran>; and a second line")
	assert.NotContains(t, s, "empty/workers=8", "what is ahead needs no line")
}

func TestSummaryOfNothing(t *testing.T) {
	var b strings.Builder
	require.NoError(t, Print(&b, new(result.Run), "summary"))
	assert.Empty(t, b.String())
}

func TestCountWords(t *testing.T) {
	assert.Equal(t, []string{"0 cases", "1 case", "2 cases"}, []string{Count(0, "case"), Count(1, "case"), Count(2, "case")})
}
