package reporttest

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/bench/internal/runner/report"
)

// The summary of a whole run fits a terminal of 80 columns, with the names that the cases
// and implementations really have, and one that failed with a long message.
func TestSummaryFitsATerminal(t *testing.T) {
	var b strings.Builder
	require.NoError(t, report.Print(&b, run(), "summary"))
	lines := strings.Split(b.String(), "\n")
	for _, line := range lines {
		assert.LessOrEqual(t, utf8.RuneCountInString(line), 80, line)
	}
	assert.Greater(t, len(lines), 50)
	assert.Contains(t, strings.Join(strings.Fields(b.String()), " "), "a long story that does not fit into one line of a page on a phone")
}
