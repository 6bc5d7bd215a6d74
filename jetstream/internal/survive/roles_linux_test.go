package survive_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/jetstream"
)

// patience is what a loaded machine gets.
const patience = 60 * time.Second

// scratch is where the server is built.
var scratch string

// roleVar is the variable that makes this binary a worker or a publisher. It has a
// role as JSON.
const roleVar = "POUNDLOCK_SURVIVE_ROLE"

// role is what a process is to do.
type role struct {
	Publish bool // else it works
	URL     string
	Events  string // the file that it appends to

	// Of a worker.
	Workers, Ahead int
	Task           time.Duration
	FailEvery      int // messages whose number it divides fail at their first delivery; 0 means none
	DoubleAck      bool
	Key            bool

	// Of a publisher: messages First to Last-1, with so many keys if not 0.
	First, Last, Keys int
	Size              int // of the data, at least
}

func TestMain(m *testing.M) {
	if s := os.Getenv(roleVar); s != "" {
		var r role
		if err := json.Unmarshal([]byte(s), &r); err != nil {
			panic(err)
		}
		if err := r.run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil { // they wait most of the time
		panic(err)
	}
	var err error
	if scratch, err = os.MkdirTemp("", "survive"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(scratch)
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// run is the process. An error, also that something leaks, is its exit status.
func (r *role) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	events, err := os.OpenFile(r.Events, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer events.Close()
	nc, err := nats.Connect(r.URL, connectOptions()...)
	if err != nil {
		return err
	}
	// An effect or a message is sent until it is stored: the server may be away.
	p, err := jetstream.NewPublisher(jetstream.PublisherConfig{
		Conn: nc, MaxAttempts: 10_000, MaxBackoff: 100 * time.Millisecond, Timeout: 2 * time.Second,
	})
	if err != nil {
		return err
	}
	// One write per line: what was written survives kill -9.
	say := func(format string, args ...any) { fmt.Fprintf(events, format+"\n", args...) }
	if r.Publish {
		err = r.publish(ctx, p, say)
	} else {
		err = r.work(ctx, nc, p, say)
	}
	err = errors.Join(err, p.Close())
	nc.Close()
	stop()
	return errors.Join(err, goleak.Find())
}

func (r *role) publish(ctx context.Context, p *jetstream.Publisher, say func(string, ...any)) error {
	var wg sync.WaitGroup
	room := make(chan struct{}, 64)
	for i := r.First; i < r.Last && ctx.Err() == nil; i++ {
		m := jetstream.Message{ID: strconv.Itoa(i), Data: make([]byte, r.Size)}
		if r.Keys > 0 {
			m.Key = strconv.Itoa(i % r.Keys)
		}
		m.Data = append([]byte(m.ID+" "), m.Data...)
		room <- struct{}{}
		say("try %s", m.ID)
		wg.Go(func() {
			defer func() { <-room }()
			if a, err := p.Publish(ctx, "tasks."+m.ID, m); err != nil {
				say("error %s %v", m.ID, err)
			} else {
				say("acked %s %d", m.ID, a.Sequence)
			}
		})
	}
	wg.Wait()
	return nil
}

func (r *role) work(ctx context.Context, nc *nats.Conn, effects *jetstream.Publisher, say func(string, ...any)) error {
	cfg := jetstream.Config{
		Conn: nc, Stream: "TASKS", Consumer: "workers", Workers: r.Workers, Ahead: r.Ahead, DoubleAck: r.DoubleAck,
		Backoff: func(int) time.Duration { return 50 * time.Millisecond },
		Handle: func(ctx context.Context, d *jetstream.Delivery) error {
			id := d.Subject[len("tasks."):]
			say("start %s %d %d", id, d.Delivered, time.Now().UnixMilli())
			select {
			case <-time.After(r.Task):
			case <-ctx.Done():
				say("cancelled %s %d %v", id, d.Delivered, context.Cause(ctx))
				return ctx.Err()
			}
			if n, _ := strconv.Atoi(id); r.FailEvery > 0 && n%r.FailEvery == 0 && d.Delivered == 1 {
				say("fail %s %d", id, d.Delivered)
				return errors.New("bad luck")
			}
			if _, err := effects.Publish(ctx, "done."+id, jetstream.Message{ID: id}); err != nil { // idempotent by the ID
				say("fail %s %d", id, d.Delivered)
				return err
			}
			say("end %s %d", id, d.Delivered)
			return nil
		},
	}
	if r.Key {
		cfg.Key = (*jetstream.Delivery).Key
	}
	w, err := r.start(ctx, cfg)
	if err != nil {
		return err
	}
	say("ready")
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err = w.Shutdown(grace)
	<-w.Done()
	s, _ := json.Marshal(w.Stats())
	say("stats %s", s)
	return err
}

// start waits for the servers to be ready for a Worker.
func (r *role) start(ctx context.Context, cfg jetstream.Config) (*jetstream.Worker, error) {
	for {
		asking, cancel := context.WithTimeout(ctx, time.Second)
		w, err := jetstream.Start(asking, cfg)
		cancel()
		if err == nil {
			return w, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond): // real time: another process comes up
		}
	}
}
