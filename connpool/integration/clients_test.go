package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// backend is a kind of server with its client: what the scenarios need to know.
type backend struct {
	name  string
	addr  func(*testing.T) string // of the server
	dial  func(ctx context.Context, addr string) (client, error)
	local bool // nothing but this process
}

// client is a connection to a backend.
type client interface {
	// ask makes one request, and fails if the answer belongs to another.
	ask(ctx context.Context) error
	Close() error
}

func backends() []backend {
	return []backend{
		{"echo", echoServer, dialEcho, true},
		{"redis", redisServer, dialRedis, os.Getenv("POUNDLOCK_REDIS") == ""},
		{"postgres", postgresServer, dialPostgres, false},
	}
}

// eachBackend runs the scenario with every backend that is there.
func eachBackend(t *testing.T, f func(*testing.T, backend)) {
	for _, b := range backends() {
		t.Run(b.name, func(t *testing.T) { f(t, b) })
	}
}

// stream is a TCP connection with deadlines from ctx.
type stream struct {
	net.Conn
	r *bufio.Reader
}

func dialStream(ctx context.Context, addr string) (stream, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return stream{}, err
	}
	return stream{c, bufio.NewReader(c)}, nil
}

// begin lets the end of ctx interrupt reads and writes, until end is called. Where
// ctx ends at that very moment, end waits for the interruption: later it would hit
// the next borrower's request.
func (s stream) begin(ctx context.Context) (end func()) {
	deadline, _ := ctx.Deadline()
	_ = s.SetDeadline(deadline)
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		_ = s.SetDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-interrupted
		}
	}
}

// echo asks an echo server.
type echo struct{ stream }

func dialEcho(ctx context.Context, addr string) (client, error) {
	s, err := dialStream(ctx, addr)
	if err != nil {
		return nil, err
	}
	// The server's first answer tells that it is there, as any protocol's greeting.
	c := &echo{s}
	if err := c.ask(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

func (c *echo) ask(ctx context.Context) error {
	defer c.begin(ctx)()
	want := fmt.Sprintln(rand.Uint64())
	if _, err := io.WriteString(c, want); err != nil {
		return err
	}
	got, err := c.r.ReadString('\n')
	if err == nil && got != want {
		return fmt.Errorf("another's answer: %q for %q", got, want)
	}
	return err
}

// resp speaks Redis' protocol.
type resp struct{ stream }

func redisServer(t *testing.T) string {
	if addr := os.Getenv("POUNDLOCK_REDIS"); addr != "" {
		return addr
	}
	return miniredis.RunT(t).Addr()
}

func dialRedis(ctx context.Context, addr string) (client, error) {
	s, err := dialStream(ctx, addr)
	if err != nil {
		return nil, err
	}
	c := &resp{s}
	if _, err := c.do(ctx, "PING"); err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

// do sends a command and returns its simple, bulk or integer answer.
func (c *resp) do(ctx context.Context, args ...string) (string, error) {
	defer c.begin(ctx)()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSuffix(line, "\r\n")
	switch {
	case line == "":
		return "", errors.New("resp: empty answer")
	case line[0] == '+' || line[0] == ':':
		return line[1:], nil
	case line[0] == '-':
		return "", errors.New("resp: " + line[1:])
	case line[0] != '$':
		return "", fmt.Errorf("resp: unexpected %q", line)
	}
	n, err := strconv.Atoi(line[1:])
	if err != nil || n < 0 {
		return "", err
	}
	data := make([]byte, n+2)
	_, err = io.ReadFull(c.r, data)
	return string(data[:n]), err
}

func (c *resp) ask(ctx context.Context) error {
	want := fmt.Sprint("poundlock:", rand.Uint64())
	got, err := c.do(ctx, "ECHO", want)
	if err == nil && got != want {
		return fmt.Errorf("another's answer: %q for %q", got, want)
	}
	return err
}

// postgres is a low-level connection of pgx.
type postgres struct{ *pgconn.PgConn }

func postgresServer(t *testing.T) string {
	url := os.Getenv("POUNDLOCK_POSTGRES")
	if url == "" {
		t.Skip("POUNDLOCK_POSTGRES is not set")
	}
	cfg, err := pgconn.ParseConfig(url)
	require.NoError(t, err)
	return net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
}

// dialPostgres dials the database of POUNDLOCK_POSTGRES through addr.
func dialPostgres(ctx context.Context, addr string) (client, error) {
	cfg, err := pgconn.ParseConfig(os.Getenv("POUNDLOCK_POSTGRES"))
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	cfg.Host, cfg.Port = host, uint16(n)
	c, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return postgres{c}, nil
}

func (c postgres) ask(ctx context.Context) error {
	want := fmt.Sprint(rand.Uint64())
	r := c.ExecParams(ctx, "select $1::text", [][]byte{[]byte(want)}, nil, nil, nil).Read()
	if r.Err != nil {
		return r.Err
	}
	if got := string(r.Rows[0][0]); got != want {
		return fmt.Errorf("another's answer: %q for %q", got, want)
	}
	return nil
}

func (c postgres) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.PgConn.Close(ctx) // the goodbye may fail on a broken connection
	return nil
}
