package lockfree

import (
	"flag"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tests come in these strengths:
//
//	go test ./lockfree                                              the usual
//	go test -tags chaos ./lockfree                                  yields at every step, tiny rings, frozen goroutines
//	POUNDLOCK_LONG=1 go test -timeout 60m ./lockfree                10 million operations at each GOMAXPROCS, all mutants
//	POUNDLOCK_LONG=1 go test -tags chaos -timeout 60m ./lockfree    2000 histories a type, with yields
//
// Each test says what the long and the short form must reach, and fails if they do
// not. long reports whether the long form is asked for.
func long() bool { return os.Getenv("POUNDLOCK_LONG") == "1" }

// scale picks how much of a stress test is run.
func scale(short, normal, whole int) int {
	switch {
	case long():
		return whole
	case testing.Short() || raceEnabled:
		return short
	}
	return normal
}

// complete reports whether whole tests are run, and not some of their subtests.
func complete() bool { return !strings.Contains(flag.Lookup("test.run").Value.String(), "/") }

// withProcs runs f as a subtest at several GOMAXPROCS.
func withProcs(t *testing.T, procs []int, f func(t *testing.T)) {
	for _, p := range procs {
		t.Run("procs="+string(rune('0'+p)), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(p))
			f(t)
		})
	}
}

// hang is how long something may take that must not wait for ever.
var hang = func() time.Duration {
	if os.Getenv("POUNDLOCK_MUTANT") != "" {
		return 3 * time.Second // many of them hang
	}
	return 30 * time.Second
}()

// finishes fails the test, with all stacks, unless done is closed in time.
func finishes(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(hang):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s did not finish:\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}
