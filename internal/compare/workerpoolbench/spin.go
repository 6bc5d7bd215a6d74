package workerpoolbench

import (
	"time"

	"github.com/poundlock/poundlock/internal/compare/work"
)

// spinFor returns work that keeps a core busy for d, a number of microseconds.
func spinFor(d time.Duration) func() {
	steps := work.StepsPerMicrosecond() * int(d/time.Microsecond)
	return func() { work.Keep(work.Spin(steps)) }
}
