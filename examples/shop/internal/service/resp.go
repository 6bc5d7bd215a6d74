package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// resp is a connection that speaks Redis' protocol, as much of it as the shop needs:
// commands are written into a buffer, and sent when their answers are read.
type resp struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

// redisError is an answer of the server: the connection works.
type redisError string

func (e redisError) Error() string { return "redis: " + string(e) }

func answered(err error) bool {
	var e redisError
	return err == nil || errors.As(err, &e)
}

func dialRedis(ctx context.Context, addr string) (*resp, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &resp{conn, bufio.NewReader(conn), bufio.NewWriter(conn)}
	if err := c.ping(ctx); err != nil { // a port may be open and nobody behind it
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

// Close closes the connection.
func (c *resp) Close() error { return c.conn.Close() }

func (c *resp) ping(ctx context.Context) error {
	return c.within(ctx, func() error {
		c.command("PING", 0)
		return c.lines(1)
	})
}

// within calls f, whose reads and writes end at ctx's deadline. A ctx that is
// cancelled before does not interrupt them: the shop's deadlines are short.
func (c *resp) within(ctx context.Context, f func() error) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(redisTimeout)
	}
	if err := c.conn.SetDeadline(deadline); err != nil {
		return err
	}
	return f()
}

// command begins a command with so many arguments.
func (c *resp) command(name string, args int) {
	c.head('*', int64(args)+1)
	c.arg(name)
}

func (c *resp) head(kind byte, n int64) {
	_ = c.w.WriteByte(kind) // the writer keeps its error for Flush
	_, _ = c.w.Write(strconv.AppendInt(c.w.AvailableBuffer(), n, 10))
	_, _ = c.w.WriteString("\r\n")
}

func (c *resp) arg(s string) {
	c.head('$', int64(len(s)))
	_, _ = c.w.WriteString(s)
	_, _ = c.w.WriteString("\r\n")
}

func (c *resp) argBytes(b []byte) {
	c.head('$', int64(len(b)))
	_, _ = c.w.Write(b)
	_, _ = c.w.WriteString("\r\n")
}

// lines sends the commands and reads n answers of one line each.
func (c *resp) lines(n int) error {
	if err := c.w.Flush(); err != nil {
		return err
	}
	var refused error
	for range n {
		switch _, _, err := c.line(); {
		case err == nil:
		case answered(err):
			refused = err // the answers behind it must be read all the same
		default:
			return err
		}
	}
	return refused
}

// values sends a command and reads its answer, an array of n values. It calls got for
// those that are there.
func (c *resp) values(got func(i int, value []byte), n int) error {
	if err := c.w.Flush(); err != nil {
		return err
	}
	kind, size, err := c.line()
	if err == nil && (kind != '*' || size != n) {
		err = fmt.Errorf("redis: unexpected %c%d", kind, size)
	}
	for i := 0; i < n && err == nil; i++ {
		if kind, size, err = c.line(); err == nil && kind == '$' && size >= 0 { // -1 is none
			value := make([]byte, size)
			if _, err = io.ReadFull(c.r, value); err == nil {
				_, err = c.r.Discard(len("\r\n"))
				got(i, value)
			}
		}
	}
	return err
}

// line reads the first line of an answer: its kind, and its number if it has one.
func (c *resp) line() (kind byte, n int, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, 0, err
	}
	if len(line) < len("+\r\n") {
		return 0, 0, errors.New("redis: empty answer")
	}
	kind, line = line[0], line[1:len(line)-len("\r\n")]
	switch kind {
	case '-':
		return kind, 0, redisError(line)
	case '+':
		return kind, 0, nil
	}
	n, err = strconv.Atoi(string(line))
	return kind, n, err
}
