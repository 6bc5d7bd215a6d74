package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/poundlock/poundlock/examples/otlp/pipeline"
)

// receive is the command with -receive: a receiver until in ends.
func receive(addr string, in io.Reader, out io.Writer) error {
	var r pipeline.Receiver
	addr, err := r.Listen(addr)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, addr)
	_, err = io.Copy(io.Discard, in)
	err = errors.Join(err, r.Kill())
	fmt.Fprintln(out, r.Spans.Load(), "spans in", r.Calls.Load(), "calls")
	return err
}

// child is the receiver in a process of its own, so that what it takes is not counted
// with what sends.
type child struct {
	addr string
	cmd  *exec.Cmd
	in   io.Closer
	out  io.Reader
}

func startChild() (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(self, "-receive", "127.0.0.1:0")}
	c.cmd.Stderr = os.Stderr
	in, errIn := c.cmd.StdinPipe()
	out, errOut := c.cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, c.cmd.Start()); err != nil {
		return nil, err
	}
	c.in, c.out = in, out
	if _, err := fmt.Fscanln(out, &c.addr); err != nil {
		_, err2 := c.stop()
		return nil, errors.Join(fmt.Errorf("the receiver did not start: %w", err), err2)
	}
	return c, nil
}

// stop ends the receiver and returns how many spans it got.
func (c *child) stop() (spans int, err error) {
	err = c.in.Close()
	fmt.Fscan(c.out, &spans)
	_, _ = io.Copy(io.Discard, c.out)
	return spans, errors.Join(err, c.cmd.Wait())
}
