// Package embedded runs a NATS server with JetStream inside the process: for tests,
// for development, and for programs whose queue need not outlive their disk. It is
// apart from package jetstream so that those who connect to a server do not compile
// one.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/poundlock/poundlock/internal/ctxerr"
)

// Config says what server to start. StoreDir must be set.
type Config struct {
	// StoreDir is the directory of the streams. Two servers must not share one.
	StoreDir string

	// Addr is the host:port to listen on; port 0 chooses a free one. "" opens no
	// socket: only [Server.Connect] reaches the server.
	Addr string

	// SyncAlways makes the server write each message to the disk, with fsync,
	// before it acknowledges it. Without it that happens every two minutes: what
	// was acknowledged survives the end of the process, but not of the machine.
	SyncAlways bool

	// MaxStore bounds the bytes of all streams. 0 means three quarters of the free
	// disk.
	MaxStore int64
}

// Server is a running NATS server. All methods are safe for concurrent use.
type Server struct{ s *server.Server }

// longestStart is how long a server that has started may take to accept connections.
const longestStart = 30 * time.Second

// Start starts a server and waits until it accepts connections, for at most 30 s or
// until ctx ends. It returns an error that names the field that is wrong, or says that
// the server did not come up; nothing runs then.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	ctxerr.NotNil(ctx, "embedded")
	if cfg.StoreDir == "" {
		return nil, errors.New("embedded: StoreDir is empty")
	}
	if cfg.MaxStore < 0 {
		return nil, fmt.Errorf("embedded: MaxStore %d is negative", cfg.MaxStore)
	}
	if err := os.MkdirAll(cfg.StoreDir, 0o750); err != nil {
		return nil, fmt.Errorf("embedded: StoreDir: %w", err)
	}
	opts := &server.Options{
		JetStream: true, StoreDir: cfg.StoreDir, SyncAlways: cfg.SyncAlways, JetStreamMaxStore: cfg.MaxStore,
		NoSigs: true, NoLog: true, DontListen: cfg.Addr == "",
	}
	if cfg.Addr != "" {
		host, port, err := net.SplitHostPort(cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("embedded: Addr %q: %w", cfg.Addr, err)
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("embedded: Addr %q: port: %w", cfg.Addr, err)
		}
		opts.Host, opts.Port = host, int(n)
		if n == 0 {
			opts.Port = server.RANDOM_PORT
		}
	}
	s, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	fail := func(format string, args ...any) (*Server, error) {
		s.Shutdown()
		s.WaitForShutdown()
		return nil, fmt.Errorf("embedded: "+format, args...)
	}
	s.Start() // returns when it listens, or has given up
	if !s.JetStreamEnabled() {
		return fail("JetStream did not start with StoreDir %q", cfg.StoreDir)
	}
	for began := time.Now(); !s.ReadyForConnections(50 * time.Millisecond); {
		if err := ctxerr.From(ctx); err != nil {
			return fail("the server did not come up: %w", err)
		}
		if time.Since(began) > longestStart { // it gave up, as with an Addr that is in use, and says so nowhere
			return fail("the server did not come up within %v", longestStart)
		}
	}
	return &Server{s}, nil
}

// URL returns the address for clients, or "" without a socket.
func (s *Server) URL() string {
	if s.s.Addr() == nil {
		return ""
	}
	return s.s.ClientURL()
}

// Connect connects to the server from within the process, without a socket. The
// caller closes the connection.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append([]nats.Option{nats.InProcessServer(s.s)}, opts...)...)
}

// Close stops the server and waits until it has. Its clients lose their
// connections: end Workers and Publishers first. It returns nil and may be called
// again.
func (s *Server) Close() error {
	s.s.Shutdown()
	s.s.WaitForShutdown()
	return nil
}
