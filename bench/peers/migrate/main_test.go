package migrate

import (
	"testing"

	"go.uber.org/goleak"
)

// ants starts the goroutines of a pool of its own when it is imported; they are there
// before the first test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }
