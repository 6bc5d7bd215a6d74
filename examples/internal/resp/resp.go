// Package resp speaks Redis' protocol, as much of it as a cache needs.
package resp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// Conn is a connection to a Redis server. Commands are written into a buffer, and sent
// when their answers are read. It is for one goroutine at a time; after an error for
// which Answered is false it is of no use any more.
type Conn struct {
	conn net.Conn
	r    *bufio.Reader
	w    *bufio.Writer
}

// Error is an answer of the server: the connection works.
type Error string

func (e Error) Error() string { return "redis: " + string(e) }

// Answered reports whether err is nil or an answer of the server.
func Answered(err error) bool {
	var e Error
	return err == nil || errors.As(err, &e)
}

// Dial connects to a server and waits for an answer of it, until ctx ends.
func Dial(ctx context.Context, addr string) (*Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := newConn(conn)
	if err := c.Ping(ctx); err != nil { // a port may be open and nobody behind it
		_ = conn.Close()
		return nil, err
	}
	return c, nil
}

func newConn(conn net.Conn) *Conn {
	return &Conn{conn, bufio.NewReader(conn), bufio.NewWriter(conn)}
}

// Close closes the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Ping waits for an answer of the server.
func (c *Conn) Ping(ctx context.Context) error {
	return c.Within(ctx, func() error {
		c.Command("PING", 0)
		return c.Lines(1)
	})
}

// Within calls f, whose reads and writes end at ctx's deadline, if it has one. A ctx
// that is cancelled before does not interrupt them: deadlines should be short.
func (c *Conn) Within(ctx context.Context, f func() error) error {
	deadline, _ := ctx.Deadline()
	if err := c.conn.SetDeadline(deadline); err != nil {
		return err
	}
	return f()
}

// Command begins a command with so many arguments.
func (c *Conn) Command(name string, args int) {
	c.head('*', int64(args)+1)
	c.Arg(name)
}

func (c *Conn) head(kind byte, n int64) {
	_ = c.w.WriteByte(kind) // the writer keeps its error for Flush
	_, _ = c.w.Write(strconv.AppendInt(c.w.AvailableBuffer(), n, 10))
	_, _ = c.w.WriteString("\r\n")
}

// Arg writes an argument.
func (c *Conn) Arg(s string) {
	c.head('$', int64(len(s)))
	_, _ = c.w.WriteString(s)
	_, _ = c.w.WriteString("\r\n")
}

// ArgBytes writes an argument.
func (c *Conn) ArgBytes(b []byte) {
	c.head('$', int64(len(b)))
	_, _ = c.w.Write(b)
	_, _ = c.w.WriteString("\r\n")
}

// Lines sends the commands and reads n answers of one line each. It returns the last
// one that was an Error.
func (c *Conn) Lines(n int) error {
	if err := c.w.Flush(); err != nil {
		return err
	}
	var refused error
	for range n {
		switch _, _, err := c.line(); {
		case err == nil:
		case Answered(err):
			refused = err // the answers behind it must be read all the same
		default:
			return err
		}
	}
	return refused
}

// Values sends a command and reads its answer, an array of n values. It calls got for
// those that are there.
func (c *Conn) Values(got func(i int, value []byte), n int) error {
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
func (c *Conn) line() (kind byte, n int, err error) {
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
		return kind, 0, Error(line)
	case '+':
		return kind, 0, nil
	}
	n, err = strconv.Atoi(string(line))
	return kind, n, err
}
