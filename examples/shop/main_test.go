package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// child is set in the environment of the processes that the tests start: they are
// this test's own program, race detector included, and serve.
const child = "POUNDLOCK_SHOP_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

// inProcess runs the command until stop, which returns its error.
func inProcess(args ...string) (url, debug string, stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{
			"-addr", "127.0.0.1:0", "-debug", "127.0.0.1:0", "-postgres", "", "-redis", "", "-queue", "", // stand-ins
		}, args...), w)
		_ = w.CloseWithError(err)
		ended <- err
	}()
	line, _ := bufio.NewReader(r).ReadString('\n')
	_, _ = fmt.Sscanf(line, "listening %s debug %s", &url, &debug)
	return url, debug, func() error {
		cancel()
		defer http.DefaultClient.CloseIdleConnections()
		return <-ended
	}
}

func Example() {
	url, _, stop := inProcess()
	resp, err := http.Post(url+"/orders", "application/json",
		strings.NewReader(`{"key":"example-1","customer":"Ada","product":7,"quantity":2}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(os.Stdout, resp.Body)
	fmt.Println(resp.Status)
	fmt.Println(stop())
	// Output:
	// {"key":"example-1","cents":2014}
	// 201 Created
	// <nil>
}

func TestBothTwinsAnswerAlike(t *testing.T) {
	answers := map[string][]string{}
	for name, args := range map[string][]string{"shop": nil, "plain": {"-plain"}, "memory": {"-plain", "-memory"}} {
		url, debug, stop := inProcess(append(args, "-products", "40", "-stock", "10")...)
		for _, c := range [][3]string{
			{"GET", "/healthz", ""},
			{"GET", "/products/3", ""},
			{"GET", "/products/3", ""},
			{"GET", "/products/41", ""},
			{"GET", "/products/x", ""},
			{"PUT", "/products/3", `{"name":"Tug","text":"Strong"}`},
			{"PUT", "/products/41", `{"name":"Tug","text":"Strong"}`},
			{"PUT", "/prices/3", `{"cents":5}`},
			{"PUT", "/prices/41", `{"cents":5}`},
			{"PUT", "/prices/3", `{"cents":-5}`},
			{"GET", "/products/3", ""},
			{"GET", "/catalogue/0", ""},
			{"GET", "/catalogue/1", ""},
			{"GET", "/catalogue/2", ""},
			{"POST", "/orders", `{"key":"an-order","customer":"Ada","product":3,"quantity":2}`},
			{"POST", "/orders", `{"key":"an-order","customer":"Ada","product":3,"quantity":2}`},
			{"POST", "/orders", `{"key":"too-many","customer":"Ada","product":3,"quantity":20}`},
			{"POST", "/orders", `{"key":"unknown!","customer":"Ada","product":41,"quantity":2}`},
			{"POST", "/orders", `{"key":"short","customer":"Ada","product":3,"quantity":2}`},
			{"GET", "/orders/an-order", ""},
			{"GET", "/orders/no-order", ""},
		} {
			answers[name] = append(answers[name], strings.Join(c[:2], " ")+" "+answer(t, url, c))
		}
		require.Contains(t, answer(t, debug, [3]string{"GET", "/figures"}), "queries")
		require.NoError(t, stop(), name)
	}
	for i, want := range answers["plain"] {
		require.Equal(t, want, answers["shop"][i])
		require.Equal(t, want, answers["memory"][i])
	}
}

// answer returns the status of a request and what the answer's JSON says.
func answer(t *testing.T, url string, c [3]string) string {
	req, err := http.NewRequest(c[0], url+c[1], strings.NewReader(c[2]))
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var v any
	text = versions.ReplaceAll(text, []byte(`"version":1`))
	if resp.StatusCode >= 300 || json.Unmarshal(text, &v) != nil {
		return resp.Status
	}
	return fmt.Sprint(resp.Status, " ", v)
}

var versions = regexp.MustCompile(`"version":[0-9]+`) // times

// The bare one answers as the shop does, as far as the load looks.
func TestBareAnswersAlike(t *testing.T) {
	type seen struct {
		status int
		kind   string
		long   int64
	}
	answers := map[string][]seen{}
	for name, args := range map[string][]string{"shop": nil, "bare": {"-bare"}} {
		url, debug, stop := inProcess(append(args, "-products", "40", "-stock", "10")...)
		for _, c := range [][3]string{
			{"GET", "/products/1", ""},
			{"GET", "/catalogue/0", ""},
			{"PUT", "/prices/3", `{"cents":5}`},
			{"POST", "/orders", `{"key":"load-1764240000000000000-7","customer":"Ada","product":1,"quantity":1}`},
		} {
			req, err := http.NewRequest(c[0], url+c[1], strings.NewReader(c[2]))
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			n, err := io.Copy(io.Discard, resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			answers[name] = append(answers[name], seen{resp.StatusCode, resp.Header.Get("Content-Type"), n})
		}
		require.Contains(t, answer(t, debug, [3]string{"GET", "/figures"}), "cpu_ns")
		require.NoError(t, stop(), name)
	}
	for i, want := range answers["shop"] {
		got := answers["bare"][i]
		require.InDelta(t, want.long, got.long, 10)
		got.long = want.long
		require.Equal(t, want, got)
	}
}

// A page is large enough to be compressed, over HTTP/2 without TLS, too.
func TestHTTP2(t *testing.T) {
	for _, args := range [][]string{nil, {"-plain"}} {
		url, _, stop := inProcess(append(args, "-products", "40")...)
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		client := &http.Client{Transport: &http.Transport{Protocols: protocols, DisableCompression: true}}
		for path, encoding := range map[string]string{"/catalogue/0": "gzip", "/products/1": ""} {
			req, err := http.NewRequest("GET", url+path, nil)
			require.NoError(t, err)
			req.Header.Set("Accept-Encoding", "gzip")
			resp, err := client.Do(req)
			require.NoError(t, err)
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, 2, resp.ProtoMajor)
			require.Equal(t, encoding, resp.Header.Get("Content-Encoding"), path)
			require.NotEmpty(t, text)
		}
		client.CloseIdleConnections()
		require.NoError(t, stop())
	}
}

// The comparison itself, too short to tell anything, on stand-ins.
func TestLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Setenv("POUNDLOCK_POSTGRES", "")
	t.Setenv("POUNDLOCK_REDIS", "")
	t.Setenv(child, "1")
	page := filepath.Join(t.TempDir(), "plots.html")
	var out strings.Builder
	err := run(context.Background(), []string{
		"-load", "-mix", "orders", "-rates", "40", "-duration", "300ms", "-rounds", "2",
		"-products", "200", "-plot", page,
	}, &out)
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, err)
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 81, line)
	}
	for _, want := range []string{"stand-ins", "orders: 50 %", "plain+memory", "bare", "P99.9", "2 rounds", "CPU per request"} {
		require.Contains(t, out.String(), want)
	}
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(html), "<svg"))
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-write", "sideways"},
		{"x"},
		{"-nonsense"},
		{"-load", "-rates", "0", "-postgres", "", "-redis", ""},
		{"-load", "-rates", "200,100", "-postgres", "", "-redis", ""},
		{"-queue", "nats://127.0.0.1:1", "-postgres", "", "-redis", ""},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		require.Error(t, run(ctx, args, io.Discard), args)
		cancel()
	}
}
