package reporttest

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/bench/internal/runner/report"
	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// ants starts goroutines when it is imported.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// browser returns the path of a browser to test in. Where there is none the test is
// skipped, but not in CI, which installs one: there it fails.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no browser in PATH, and CI must not skip this test: .ci/run install")
	}
	t.Skip("needs chromium or Google Chrome in PATH")
	return ""
}

// start opens a browser that asks the network for nothing.
func start(t *testing.T) context.Context {
	path := browser(t)
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("no-sandbox", true), chromedp.Flag("disable-gpu", true), // CI is root in a container
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	t.Cleanup(func() { require.NoError(t, chromedp.Cancel(ctx)) })
	return ctx
}

// look opens a page in a window of a width and returns what check.js finds.
func look(t *testing.T, ctx context.Context, file string, width int64, scheme string, unfold bool) found {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media)
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate("file://"+file)))
	f, err := chromedp.Run(ctx, chromedp.Evaluate[found](fmt.Sprintf("(%s)(%v)", check, unfold)))
	require.NoError(t, err)
	if dir := os.Getenv(keep); dir != "" && !unfold { // unfolded it is too high for a picture
		png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		require.NoError(t, err)
		name := strings.NewReplacer("/", "-", "=", "-").Replace(t.Name()) + "-" + scheme + ".png"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), png, 0o644))
	}
	return f
}

// keep names a directory for the pages and pictures of them, for people to look at.
const keep = "POUNDLOCK_REPORT"

// pageFile writes the page of a run.
func pageFile(t *testing.T, r *result.Run) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.html")
	if dir := os.Getenv(keep); dir != "" {
		path = filepath.Join(dir, "report.html")
		require.NoError(t, r.Save(dir))
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, report.HTML(f, r))
	require.NoError(t, f.Close())
	return path
}

//go:embed check.js
var check string

// found is what check.js finds on a page.
type found struct {
	Texts    int      // pieces of text that are seen
	Overlaps []string // text that lies on other text
	Cut      []string // text that its drawing or the window cuts off, without a hint
	Wide     int      // how far the page reaches beyond the window
	Tables   int      // tables that are seen
	Folded   int      // groups that are folded
	Groups   int
	Over     []string // a 1× line drawn over text, or twice
	Legends  []string // cards whose legend lists what the card does not draw, or lacks what it does
}

func TestPageInABrowser(t *testing.T) {
	ctx := start(t)
	file := pageFile(t, run())
	for _, w := range []struct {
		width  int64
		scheme string
	}{{1400, "light"}, {1400, "dark"}, {768, "light"}, {400, "light"}, {400, "dark"}} {
		for _, unfold := range []bool{false, true} {
			if unfold && w.scheme == "dark" {
				continue // colours move nothing
			}
			t.Run(fmt.Sprintf("width=%d/%s/unfold=%v", w.width, w.scheme, unfold), func(t *testing.T) {
				f := look(t, ctx, file, w.width, w.scheme, unfold)
				assert.Greater(t, f.Texts, 50)
				none(t, f.Overlaps, "text lies on text")
				none(t, f.Cut, "text is cut off")
				none(t, f.Over, "the 1× line")
				none(t, f.Legends, "a legend")
				assert.LessOrEqual(t, f.Wide, 0, "the page itself scrolls sideways")
				assert.Equal(t, 8, f.Groups)
				if w.width == 400 && !unfold {
					assert.Equal(t, f.Groups, f.Folded, "on a phone all groups are folded at first")
				} else {
					assert.Zero(t, f.Folded)
				}
				if unfold {
					assert.Greater(t, f.Tables, 100)
				}
			})
		}
	}
}

// none fails with the first few of what was found.
func none(t *testing.T, found []string, what string) {
	t.Helper()
	if len(found) > 0 {
		t.Errorf("%s, %d times: %s", what, len(found), strings.Join(found[:min(len(found), 8)], "; "))
	}
}

// The pictures for README are drawn well too.
func TestPictureInABrowser(t *testing.T) {
	dir := t.TempDir()
	readme := filepath.Join(dir, "README.md")
	require.NoError(t, os.WriteFile(readme, []byte("<!-- bench:chart chart -->\n<!-- /bench -->\n"), 0o644))
	require.NoError(t, report.Update(readme, run()))
	ctx := start(t)
	for _, theme := range []string{"light", "dark"} {
		text, err := os.ReadFile(filepath.Join(dir, "chart-"+theme+".svg"))
		require.NoError(t, err)
		if out := os.Getenv(keep); out != "" {
			require.NoError(t, os.WriteFile(filepath.Join(out, "chart-"+theme+".svg"), text, 0o644))
		}
		page := filepath.Join(dir, theme+".html")
		require.NoError(t, os.WriteFile(page, append([]byte("<!DOCTYPE html>"), text...), 0o644))
		f := look(t, ctx, page, 1000, theme, false)
		assert.Greater(t, f.Texts, 15)
		none(t, f.Overlaps, "text lies on text")
		none(t, f.Cut, "text is cut off")
		none(t, f.Over, "the 1× line")
	}
}

// The check finds what it looks for.
func TestTheCheck(t *testing.T) {
	ctx := start(t)
	const page = `<!DOCTYPE html><meta name=viewport content="width=device-width"><section><input type=checkbox class=fold><h2>g</h2><div class=body>
<p style="margin:0">a line of text</p><p style="margin:-12px 0 0">another upon it</p>
<figure class="card"><svg width=100 height=60 viewBox="0 0 100 60"><text x="0" y="20">first</text><line class="one" x1="5" y1="0" x2="5" y2="60" stroke="red"/>
<line class="one" x1="5" y1="0" x2="5" y2="60" stroke="red"/><text x="5" y="22">second</text><text x="80" y="50">cut off</text><circle class="fill c1" r=4 cx=50 cy=50 /></svg>
<ul class="keys"><li class="c2"><i></i>x</li></ul></figure>
<div style="width:1800px">a wide one <span style="float:right">unseen</span></div></div></section>`
	path := filepath.Join(t.TempDir(), "bad.html")
	require.NoError(t, os.WriteFile(path, []byte(page), 0o644))
	f := look(t, ctx, path, 1400, "light", false)
	assert.Len(t, f.Overlaps, 2, "%v", f.Overlaps)
	assert.NotEmpty(t, f.Cut)
	assert.Len(t, f.Over, 3, "over text, drawn twice, and over text again: %v", f.Over)
	assert.Len(t, f.Legends, 2, "%v", f.Legends)
	assert.Equal(t, 1, f.Groups)
	assert.Greater(t, f.Wide, 300)
}
