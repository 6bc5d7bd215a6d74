package resp

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCommandsAndAnswers(t *testing.T) {
	r := miniredis.RunT(t)
	c, err := Dial(t.Context(), r.Addr())
	require.NoError(t, err)
	c.Command("SET", 2)
	c.Arg("one")
	c.ArgBytes([]byte("1\r\n"))
	c.Command("SET", 1) // wrong, and its answer is read all the same
	c.Arg("two")
	c.Command("PING", 0)
	err = c.Lines(3)
	require.True(t, Answered(err))
	require.ErrorContains(t, err, "redis: ERR wrong number of arguments")

	c.Command("MGET", 3)
	for _, key := range []string{"one", "none", "one"} {
		c.Arg(key)
	}
	got := map[int]string{}
	require.NoError(t, c.Values(func(i int, value []byte) { got[i] = string(value) }, 3))
	require.Equal(t, map[int]string{0: "1\r\n", 2: "1\r\n"}, got)
	require.NoError(t, c.Ping(t.Context()), "nothing is left to read")
	require.NoError(t, c.Close())
	require.False(t, Answered(c.Ping(t.Context())))
}

// What is no answer of Redis is an error of the connection, which has no use any more.
func TestSenselessAnswers(t *testing.T) {
	for answer, want := range map[string]string{
		"\n": "empty answer", "*2\r\n": "unexpected *2", "$1\r\nx\r\n": "unexpected $1", ":x\r\n": "invalid syntax",
		"*1\r\n$5\r\nab": "unexpected EOF", "": "EOF",
	} {
		here, there := net.Pipe()
		go func() {
			_, _ = there.Read(make([]byte, 100))
			_, _ = io.WriteString(there, answer)
			_ = there.Close()
		}()
		c := newConn(here)
		c.Command("MGET", 0)
		err := c.Values(func(int, []byte) {}, 1)
		require.ErrorContains(t, err, want)
		require.False(t, Answered(err))
		require.NoError(t, c.Close())
	}
}

func TestNobodyAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = Dial(ctx, l.Addr().String())
	require.ErrorContains(t, err, "timeout", "a port is open and nobody is behind it")
	require.NoError(t, l.Close())
	_, err = Dial(t.Context(), l.Addr().String())
	require.ErrorContains(t, err, "refused")
}
