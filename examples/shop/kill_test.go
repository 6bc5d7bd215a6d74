package main

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/jetstream/embedded"
)

// mailbox is a pipe that gets the mails of all processes, and what it got.
type mailbox struct {
	name string
	f    *os.File

	mu   sync.Mutex
	sent map[string]int // mails by order; guarded by mu
}

// newMailbox returns a mailbox that is full: who sends a mail waits.
func newMailbox(t *testing.T) *mailbox {
	m := &mailbox{name: filepath.Join(t.TempDir(), "mails"), sent: map[string]int{}}
	require.NoError(t, syscall.Mkfifo(m.name, 0o600))
	var err error
	m.f, err = os.OpenFile(m.name, os.O_RDWR, 0)
	require.NoError(t, err)
	raw, err := m.f.SyscallConn()
	require.NoError(t, err)
	for _, size := range []int{1 << 12, 1} { // blocks, and then what room is left
		lines := []byte(strings.Repeat("\n", size))
		var full error
		require.NoError(t, raw.Write(func(fd uintptr) bool {
			for full == nil {
				_, full = syscall.Write(int(fd), lines)
			}
			return true
		}))
		require.ErrorIs(t, full, syscall.EAGAIN)
	}
	return m
}

// read takes mails out until stop.
func (m *mailbox) read() (stop func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		order := regexp.MustCompile(`^your order (\S+) of `)
		for lines := bufio.NewScanner(m.f); lines.Scan(); {
			if found := order.FindSubmatch(lines.Bytes()); found != nil {
				m.mu.Lock()
				m.sent[string(found[1])]++
				m.mu.Unlock()
			}
		}
	})
	return func() { _ = m.f.Close(); wg.Wait() }
}

func (m *mailbox) mails() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.sent)
}

// cable is the way to a server, which can be held: then nothing arrives.
type cable struct {
	l    net.Listener
	to   string
	gate sync.RWMutex // what goes through holds it for reading

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
	wg    sync.WaitGroup
}

func newCable(t *testing.T, to string) *cable {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cable{l: l, to: to}
	c.wg.Go(c.accept)
	t.Cleanup(func() { _ = l.Close(); c.cut(); c.wg.Wait() })
	return c
}

func (c *cable) accept() {
	for {
		from, err := c.l.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = from.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, from, to)
		c.mu.Unlock()
		c.wg.Go(func() { c.pass(to, from) })
		c.wg.Go(func() { c.pass(from, to) })
	}
}

func (c *cable) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 1<<15)
	for {
		n, err := from.Read(buf)
		c.gate.RLock()
		_, werr := to.Write(buf[:n])
		c.gate.RUnlock()
		if err != nil || werr != nil {
			return
		}
	}
}

// cut ends all connections. What was under way is lost.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// metric returns the value of one of the shop's metrics.
func (r *rig) metric(series string) (n int) {
	resp, err := r.client.Get(r.debug + "/metrics")
	require.NoError(r.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\d+)$`).FindSubmatch(text)
	require.NotNil(r.t, m, "no %s in %s", series, text)
	n, err = strconv.Atoi(string(m[1]))
	require.NoError(r.t, err)
	return n
}

// ackWait returns how long the server waits for a job that a process has.
func ackWait(t *testing.T, url, kind string) time.Duration {
	conn, err := nats.Connect(url)
	require.NoError(t, err)
	defer conn.Close()
	js, err := njs.New(conn)
	require.NoError(t, err)
	c, err := js.Consumer(t.Context(), "SHOP_JOBS", kind)
	require.NoError(t, err)
	return c.CachedInfo().Config.AckWait
}

// The process is killed under load while NATS keeps its jobs, a moment after the way
// there was held: what it has sent by then is lost. Of every order that a customer was
// told of there is a mail, as that is a job which is stored before the answer. What the
// process was at runs again, and nothing else does.
func TestTheProcessIsKilled(t *testing.T) {
	servers(t)
	srv, err := embedded.Start(t.Context(), embedded.Config{StoreDir: t.TempDir(), Addr: "127.0.0.1:0"})
	require.NoError(t, err)
	defer func() { require.NoError(t, srv.Close()) }()
	way := newCable(t, strings.TrimPrefix(srv.URL(), "nats://"))
	box := newMailbox(t)
	const jobWait = 2 * time.Second
	underLoad(t, func(r *rig) {
		r.queue = "nats://" + way.l.Addr().String()
		r.args = append(r.args, "-mails", box.name, "-jobwait", jobWait.String())
	}, func(r *rig) {
		within(t, patience, "no mail is under way", func() bool { return r.metric(`poundlock_jetstream_running{name="mail"}`) == 2 })
		way.gate.Lock()
		<-time.After(300 * time.Millisecond) // the fault's length
		require.NoError(t, r.cmd.Process.Kill())
		require.Error(t, r.cmd.Wait())
		way.cut()
		way.gate.Unlock()
		require.Empty(t, box.mails())
		t.Cleanup(box.read())
		r.start()
		r.recovered()
		r.askAgain()
		r.mu.Lock()
		told := slices.Sorted(maps.Keys(r.taken))
		r.mu.Unlock()
		for _, key := range told[:20] { // who asks once more gets no further mail
			require.Equal(t, http.StatusOK, r.repeat(key))
		}
		r.recovered()
		var without []string
		for begin := time.Now(); time.Since(begin) < patience; <-time.After(5 * time.Millisecond) {
			sent := box.mails()
			without = slices.DeleteFunc(slices.Clone(told), func(key string) bool { return sent[key] > 0 })
			if len(without) == 0 {
				break
			}
		}
		require.Empty(t, without, "orders without a mail")
		require.Equal(t, jobWait, ackWait(t, srv.URL(), "mail"), "after which a killed process' jobs come back")
		more := 0
		for _, n := range box.mails() {
			more += n - 1
		}
		again := r.metric(`poundlock_jetstream_redelivered_total{name="mail"}`) // after the mails, which are of these
		require.GreaterOrEqual(t, again, 2, "the jobs that the process was at come back")
		require.LessOrEqual(t, more, again, "mails sent twice are of jobs that came back")
		t.Logf("%d orders with a mail each, %d jobs came back, %d mails sent twice", len(told), again, more)
	})
}
