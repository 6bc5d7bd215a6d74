package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// childVar is the variable that makes this program a worker process. It has a job as
// JSON.
const childVar = "POUNDLOCK_BENCH_CHILD"

// job is what a worker process is to do.
type job struct {
	System   string
	At       addresses
	Messages int
	Task     time.Duration
	Workers  int
	Profile  string
}

// child is the worker process. It says "ready", begins at the first line of its input,
// says how many messages it has handled whenever that has changed, and ends with its
// input.
func child(s string) error {
	var j job
	if err := json.Unmarshal([]byte(s), &j); err != nil {
		return err
	}
	for i := range all {
		if all[i].name == j.System {
			return j.work(&all[i])
		}
	}
	return fmt.Errorf("no system %q", j.System)
}

func (j *job) work(s *system) error {
	begin, err := s.connect(context.Background(), j)
	if err != nil {
		return err
	}
	seen := make([]atomic.Bool, j.Messages)
	var handled atomic.Int64
	in := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	if j.Profile != "" {
		f, err := os.Create(j.Profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	end, err := begin(func(id int) {
		if j.Task > 0 {
			time.Sleep(j.Task) // real time: the task
		}
		if !seen[id].Swap(true) {
			handled.Add(1)
		}
	})
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	var telling sync.WaitGroup
	telling.Go(func() {
		every := time.NewTicker(2 * time.Millisecond)
		defer every.Stop()
		for last := int64(0); ; {
			if n := handled.Load(); n != last {
				fmt.Println(n)
				last = n
			}
			select {
			case <-every.C:
			case <-stop:
				return
			}
		}
	})
	_, _ = io.Copy(io.Discard, in)
	close(stop)
	telling.Wait()
	return end()
}

// one stores messages and has worker processes work them off. It returns how many
// were stored per second, with the setting up of the queue, and how many worked off.
func (o *options) one(ctx context.Context, s *system, at *addresses) (stored, worked float64, err error) {
	n := o.messages / s.share
	began := time.Now()
	if err := s.store(ctx, at, n); err != nil {
		return 0, 0, err
	}
	stored = float64(n) / time.Since(began).Seconds()
	worked, err = o.work(ctx, s, at, n)
	return stored, worked, err
}

func (o *options) work(ctx context.Context, s *system, at *addresses, n int) (float64, error) {
	j, err := json.Marshal(job{System: s.name, At: *at, Messages: n, Task: o.task, Workers: o.workers, Profile: o.profile})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	children := make([]*process, o.processes)
	for i := range children {
		if children[i], err = startChild(ctx, string(j)); err != nil {
			return 0, err
		}
		defer children[i].end()
	}
	total := make(chan int)
	began := time.Now()
	for _, c := range children {
		go c.tell(ctx, total)
		if _, err := io.WriteString(c.in, "go\n"); err != nil {
			return 0, err
		}
	}
	for sum := 0; sum < n; {
		select {
		case more := <-total:
			sum += more
		case <-ctx.Done():
			return 0, fmt.Errorf("%d of %d messages in %v", sum, n, time.Since(began))
		}
	}
	took := time.Since(began)
	for _, c := range children {
		err = errors.Join(err, c.end())
	}
	return float64(n) / took.Seconds(), err
}

// process is a worker process, as its parent sees it.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	once sync.Once
	err  error
}

func startChild(ctx context.Context, j string) (*process, error) {
	c := &process{cmd: exec.CommandContext(ctx, os.Args[0])}
	c.cmd.Env = append(os.Environ(), childVar+"="+j)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if !c.out.Scan() || c.out.Text() != "ready" {
		return nil, errors.Join(errors.New("a worker process did not come up"), c.end())
	}
	return c, nil
}

// tell sends how many more messages the process has handled.
func (c *process) tell(ctx context.Context, total chan<- int) {
	for last := 0; c.out.Scan(); {
		var n int
		if _, err := fmt.Sscan(strings.TrimSpace(c.out.Text()), &n); err != nil {
			continue
		}
		select {
		case total <- n - last:
			last = n
		case <-ctx.Done():
			return
		}
	}
}

// end ends the process.
func (c *process) end() error {
	c.once.Do(func() {
		_ = c.in.Close()
		c.err = c.cmd.Wait()
	})
	return c.err
}
