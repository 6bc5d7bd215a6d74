package archtest

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// mostLines is how long a file may be, tests included: what is longer holds more
// than one concept.
const mostLines = 400

func TestNoFileIsTooLong(t *testing.T) {
	for _, path := range goFiles(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		if n := bytes.Count(text, []byte("\n")); n > mostLines {
			t.Errorf("%s has %d lines, more than %d", path, n, mostLines)
		}
	}
}
