package debug_test

import (
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

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
	srv := httptest.NewServer(open(t, debug.Config{Registry: r, Always: true, Title: "shop"}))
	defer srv.Close()
	cmd := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--timeout=5000", "--dump-dom", srv.URL)
	dom, err := cmd.Output()
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(dom), "<body>")
	body, _, _ = strings.Cut(body, "<script>")
	for _, want := range []string{
		`<h1 id="title">shop</h1>`, "3 instruments, 1 in trouble", "&lt;b&gt;bold&lt;/b&gt; ", "9 of 9 places in the queue are taken", "all 3 values",
	} {
		require.Contains(t, body, want)
	}
}
