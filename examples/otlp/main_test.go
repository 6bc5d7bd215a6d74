package main

import (
	"bytes"
	"flag"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// The test binary is also the receiver that startChild starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-receive" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func TestBadFlagsAreNamed(t *testing.T) {
	for args, want := range map[string]string{
		"-rounds 0":      "-rounds 0: want at least 1",
		"-rounds x":      `invalid value "x" for flag -rounds`,
		"-spans 999":     "-spans 999: want at least 1000",
		"-spans -5":      "-spans -5: want at least 1000",
		"-batch 0":       "-batch 0: want 1 to 2048",
		"-batch 2049":    "-batch 2049: want 1 to 2048",
		"-linger 1us":    "-linger 1µs: want at least 1ms",
		"-linger 5":      `invalid value "5" for flag -linger`,
		"-nothing":       "flag provided but not defined: -nothing",
		"-spans 1000 up": `unexpected argument "up"`,
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		require.ErrorContains(t, err, want, args)
	}
	_, err := parse([]string{"-help"}, io.Discard)
	require.ErrorIs(t, err, flag.ErrHelp)
	f, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 100, f.batch)
}

func TestNoReceiverAtTheAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	require.ErrorContains(t, run(flags{addr: addr}, io.Discard), "no OTLP receiver at "+addr)
	require.ErrorContains(t, run(flags{addr: "no port"}, io.Discard), "no port")
}

func TestReceiveNeedsAnAddressThatIsFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	require.ErrorContains(t, receive(l.Addr().String(), strings.NewReader(""), io.Discard), "address already in use")
}

// A whole run, short: the receiver in a process of its own got every span that was
// sent to it, the tables fit the terminal, and the page needs nothing else.
func TestAWholeRun(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	child, err := startChild()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "page.html")
	var out bytes.Buffer
	const rounds, spans = 2, 2000
	require.NoError(t, run(flags{addr: child.addr, plot: file, rounds: rounds, spans: spans, batch: 100, linger: 1e9}, &out))
	arrived, err := child.stop()
	require.NoError(t, err)
	require.Equal(t, rounds*(spans/10+spans)+rounds*2*spans, arrived, "batching, then both pipelines")

	for _, line := range strings.Split(out.String(), "\n") {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 80, line)
	}
	for _, want := range []string{"pool spans", "preallocate", "on the stack", "batch", "GC", "OpenTelemetry SDK", "restart"} {
		require.Contains(t, out.String(), want)
	}
	require.Regexp(t, `allocated, bytes 0 B +48\d +(0|\d\.\d+) +100 % holds`, out.String())
	require.Equal(t, 2, strings.Count(out.String(), "0 of ours"))

	page, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(page), "<svg")
	require.NotRegexp(t, regexp.MustCompile(`https?://|src=|NaN|Inf|\(PANIC`), string(page))
}
