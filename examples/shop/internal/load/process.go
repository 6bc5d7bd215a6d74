package load

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// process is a twin that serves.
type process struct {
	cmd        *exec.Cmd
	url, debug string
}

// start starts a twin and waits until it listens.
func start(ctx context.Context, exe string, args []string) (*process, error) {
	cmd := exec.CommandContext(ctx, exe, append([]string{"-addr", "127.0.0.1:0", "-debug", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(line, "listening %s debug %s", &p.url, &p.debug)
	}
	if err != nil {
		_ = p.stop()
		return nil, fmt.Errorf("it does not serve: %w", err)
	}
	return p, nil
}

// stop ends the process by the signal on which it finishes its work.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	return p.cmd.Wait()
}

func (p *process) figures() (f goods.Figures, err error) {
	resp, err := http.Get(p.debug + "/figures")
	if err != nil {
		return f, err
	}
	defer resp.Body.Close()
	return f, json.NewDecoder(resp.Body).Decode(&f)
}

// payments is the payment service of all twins, in this process so that it costs
// theirs nothing.
type payments struct {
	*http.Server
	URL string
}

func servePayments() (*payments, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &payments{&http.Server{Handler: new(goods.Payments), ReadHeaderTimeout: time.Second}, "http://" + l.Addr().String()}
	go func() { _ = p.Serve(l) }()
	return p, nil
}

// prepare makes Redis hold all of the shop's products, or none. Stand-ins begin empty.
func prepare(ctx context.Context, addrs []string, products int64, full bool) error {
	for _, a := range addrs {
		c := redis.NewClient(&redis.Options{Addr: a})
		defer c.Close()
		for first := int64(1); first <= products; first += 1000 {
			pipe := c.Pipeline()
			for id := first; id < min(first+1000, products+1); id++ {
				if !full {
					pipe.Unlink(ctx, goods.CacheKey(id))
					continue
				}
				p := goods.Sample(id)
				p.Cents = 0
				text, err := json.Marshal(p)
				if err != nil {
					return err
				}
				pipe.Set(ctx, goods.CacheKey(id), text, time.Minute)
			}
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
