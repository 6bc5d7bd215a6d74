package workerpool_test

import (
	"io"
	"log"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)                        // the tests panic a lot
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // ants, in the comparison, starts goroutines when it is imported
}
