package workerpoolbench

import (
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A neighbour is another process that wants a part of one core: it computes for
// neighbourBusy out of every neighbourPeriod, 15 % of the time.
const (
	neighbourBusy   = 3 * time.Millisecond
	neighbourPeriod = 20 * time.Millisecond
	neighbourEnv    = "POUNDLOCK_BENCH_NEIGHBOUR"
)

// The neighbour is this program, started with neighbourEnv set. It ends when its
// standard input does, thus also when the one that started it is killed.
func init() {
	if os.Getenv(neighbourEnv) == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	_, _ = os.Stdout.WriteString("here\n")
	for {
		start := time.Now()
		for time.Since(start) < neighbourBusy {
		}
		time.Sleep(neighbourPeriod - time.Since(start))
	}
}

// withNeighbour starts a neighbour and returns a function that ends it.
func withNeighbour(b *testing.B) (end func()) {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), neighbourEnv+"=1", "GOMAXPROCS=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil { // it runs
		b.Fatal(err)
	}
	return func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
}
