package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/poundlock/poundlock/internal/compare"
)

// request is what one child process is asked to measure.
type request struct {
	c         *compare.Case
	impl      *compare.Impl
	cpus      int
	benchTime string
	ops       int // how many ops take benchTime; 0: not known yet
	timeout   time.Duration
}

// reply is what became of a child.
type reply struct {
	stdout, stderr string
	cpu            time.Duration // user and system time of the child
	err            error         // exit status, signal or time-out
}

var errTimeout = errors.New("time-out")

// launcher runs a request; tests put their own in its place.
type launcher func(ctx context.Context, rq request) reply

// launch runs this program again as a child. A process of its own costs about
// 5 ms and frees a sample from what earlier ones left behind: with 128 MiB kept
// alive by another case, a 4 KiB allocation moved from 129 to 106 ns in-process
// and stayed at 125 to 127 in processes.
func launch(ctx context.Context, rq request) reply {
	exe, err := os.Executable()
	if err != nil {
		return reply{err: err}
	}
	tctx, cancel := context.WithTimeoutCause(ctx, rq.timeout, errTimeout)
	defer cancel()
	cmd := exec.CommandContext(tctx, exe)
	cmd.Env = append(os.Environ(),
		envCase+"="+rq.c.Key(), envImpl+"="+rq.impl.Name, envBenchTime+"="+rq.benchTime,
		envOps+"="+strconv.Itoa(rq.ops), "GOMAXPROCS="+strconv.Itoa(rq.cpus))
	if compare.RaceEnabled && os.Getenv("GORACE") == "" {
		// The race detector's default of a second at exit would be most of a run.
		cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=20")
	}
	var out, errs tail
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 2 * time.Second
	cmd.Cancel = func() error {
		// SIGQUIT makes a Go program that hangs say where.
		if ctx.Err() == nil && cmd.Process.Signal(syscall.SIGQUIT) == nil {
			return nil
		}
		return cmd.Process.Kill()
	}
	err = cmd.Run()
	r := reply{stdout: out.String(), stderr: errs.String(), err: err}
	if cmd.ProcessState != nil {
		r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	if err != nil && context.Cause(tctx) == errTimeout {
		r.err = fmt.Errorf("%w: no result after %v", errTimeout, rq.timeout)
	}
	return r
}

// tail is a writer that keeps the first and the last part of what it is given: a
// crash tells its reason first, a benchmark line comes last.
type tail struct {
	head, rest bytes.Buffer
}

const tailKeep = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if room := tailKeep - t.head.Len(); room > 0 {
		k := min(room, len(p))
		t.head.Write(p[:k])
		p = p[k:]
	}
	t.rest.Write(p)
	if drop := t.rest.Len() - tailKeep; drop > tailKeep {
		t.rest.Next(drop)
	}
	return n, nil
}

func (t *tail) String() string { return t.head.String() + t.rest.String() }

// reason makes one line of how a child ended without a result: the panic that it
// died of, else the error.
func (r reply) reason() string {
	for line := range strings.Lines(r.stderr) {
		for _, mark := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE"} {
			if strings.HasPrefix(line, mark) {
				if r.err != nil && errors.Is(r.err, errTimeout) {
					break
				}
				return strings.TrimSpace(line)
			}
		}
	}
	if r.err != nil {
		return r.err.Error()
	}
	return "no result"
}
