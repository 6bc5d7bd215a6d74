package debug_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
)

// A real browser runs the page's script: the cards are there, and a name is text.
func TestInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds: not with -short")
	}
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			browser = path
			break
		}
	}
	if browser == "" {
		t.Skip("needs a browser: chromium or google-chrome")
	}
	r := registry(t)
	_, err := observe.AddFunc(r, "poundlock_odd", "<b>bold</b>", func() (s struct {
		Queued   int    `json:"queued"`
		QueueCap int    `json:"queue_cap"`
		Done     uint64 `json:"done" help:"What was done."`
	},
	) {
		s.Queued, s.QueueCap = 9, 9
		return s
	})
	require.NoError(t, err)
	page := open(t, debug.Config{Registry: r, Always: true, Title: "shop"})
	var hold atomic.Int64 // how long the page takes to load
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/":
			rec := httptest.NewRecorder()
			page.ServeHTTP(rec, req)
			rec.Header().Del("Content-Length")
			maps.Copy(w.Header(), rec.Header())
			w.Header().Set("Content-Security-Policy", rec.Header().Get("Content-Security-Policy")+"; img-src 'self'")
			_, _ = io.WriteString(w, strings.Replace(rec.Body.String(), "<main>", `<img src="hold" hidden><main>`, 1))
		case "/hold": // the browser shows what it has when all of the page is loaded
			select {
			case <-time.After(time.Duration(hold.Load())):
			case <-req.Context().Done():
			}
		default:
			page.ServeHTTP(w, req)
		}
	}))
	defer srv.Close()
	want := []string{
		`<h1 id="title">shop</h1>`, "3 instruments, 1 in trouble", "&lt;b&gt;bold&lt;/b&gt; ", "9 of 9 places in the queue are taken", "all 3 values",
	}
	// What there is after a second, on a loaded machine after more.
	for wait := time.Second; ; wait *= 2 {
		hold.Store(int64(wait))
		body := dump(t, browser, srv.URL)
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return strings.Contains(body, w) })
		if len(missing) == 0 {
			return
		}
		require.Less(t, wait, 30*time.Second, "%q are not in %s", missing, body)
	}
}

// dump returns the body of a page, without its script, as it is when it is loaded.
func dump(t *testing.T, browser, url string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--timeout=60000", "--dump-dom", url)
	dom, err := cmd.Output()
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(dom), "<body>")
	body, _, _ = strings.Cut(body, "<script>")
	return body
}
