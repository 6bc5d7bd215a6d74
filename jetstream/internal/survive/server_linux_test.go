package survive_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// serverBinary builds the nats-server of this module's requirement, once.
var serverBinary = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(scratch, "nats-server")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
})

// server is a nats-server process.
type server struct {
	*process
	url, conf string
}

// startServer starts a server that stands alone. limit bounds its store in bytes, 0
// means that the disk does.
func startServer(t *testing.T, store string, limit int) *server {
	t.Helper()
	p := freePorts(t, 1)
	return newServer(t, "alone", p[0], store, limit, "")
}

// startCluster starts three servers that know of each other.
func startCluster(t *testing.T) []*server {
	t.Helper()
	p := freePorts(t, 6)
	var all []*server
	for i := range 3 {
		name := "n" + strconv.Itoa(i)
		all = append(all, newServer(t, name, p[i], filepath.Join(t.TempDir(), name), 0, fmt.Sprintf(
			`cluster { name: c, listen: "127.0.0.1:%d", routes: ["nats://127.0.0.1:%d", "nats://127.0.0.1:%d", "nats://127.0.0.1:%d"] }`,
			p[3+i], p[3], p[4], p[5])))
	}
	return all
}

func newServer(t *testing.T, name string, port int, store string, limit int, more string) *server {
	t.Helper()
	bin, err := serverBinary()
	require.NoError(t, err)
	bound := ""
	if limit > 0 {
		bound = fmt.Sprintf(", max_file_store: %d", limit)
	}
	s := &server{url: fmt.Sprintf("nats://127.0.0.1:%d", port), conf: filepath.Join(t.TempDir(), name+".conf")}
	require.NoError(t, os.WriteFile(s.conf, fmt.Appendf(nil,
		"server_name: %s\nlisten: \"127.0.0.1:%d\"\njetstream { store_dir: %q, sync_interval: always%s }\n%s\n", name, port, store, bound, more), 0o600))
	s.process = newProcess(t, bin, []string{"-c", s.conf}, nil)
	s.start()
	return s
}

// freePorts returns n ports that are free at the moment.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// process is one that can be killed, frozen and started again. It does not outlive
// the test.
type process struct {
	t    *testing.T
	bin  string
	args []string
	env  []string
	log  string // what it says

	cmd   *exec.Cmd
	ended chan error // has its end
}

func newProcess(t *testing.T, bin string, args, env []string) *process {
	f, err := os.CreateTemp(t.TempDir(), "log")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	p := &process{t: t, bin: bin, args: args, env: env, log: f.Name()}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			b, _ := os.ReadFile(p.log)
			t.Logf("%s %v:\n%s", filepath.Base(bin), args, b[max(0, len(b)-3000):])
		}
	})
	return p
}

func (p *process) start() {
	p.t.Helper()
	f, err := os.OpenFile(p.log, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(p.t, err)
	defer f.Close()
	p.cmd = exec.Command(p.bin, p.args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is the test's to pass on
	require.NoError(p.t, p.cmd.Start())
	cmd, ended := p.cmd, make(chan error, 1)
	p.ended = ended
	go func() { ended <- cmd.Wait() }()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// kill is kill -9, and waits for the end.
func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		p.wait()
		p.cmd = nil
	}
}

// wait waits for the end.
func (p *process) wait() error {
	select {
	case err := <-p.ended:
		p.ended <- err
		return err
	case <-time.After(patience):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it says what it does
		return fmt.Errorf("process %d does not end: %v", p.cmd.Process.Pid, p.args)
	}
}

// connect connects the test itself.
func connect(t *testing.T, urls string) (*nats.Conn, njs.JetStream) {
	t.Helper()
	nc, err := nats.Connect(urls, connectOptions()...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := njs.New(nc)
	require.NoError(t, err)
	return nc, js
}

func connectOptions() []nats.Option {
	return []nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(30 * time.Millisecond), nats.ReconnectJitter(0, 0), nats.RetryOnFailedConnect(true)}
}
