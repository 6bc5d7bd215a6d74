package debug_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
)

func TestCapturesByHand(t *testing.T) {
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: t.TempDir(), Duration: time.Hour})
	require.NoError(t, err)
	p := open(t, debug.Config{Captures: c})
	require.JSONEq(t, "[]", body(t, get(p, "GET", "/captures/")))
	require.Equal(t, 404, get(p, "GET", "/captures/start").StatusCode, "starting is no GET")

	res := get(p, "POST", "/captures/start?why=slow+page&profile=cpu&profile=heap&seconds=60")
	require.Equal(t, 202, res.StatusCode)
	require.Contains(t, body(t, res), `"running":true,"why":"slow page"`)
	require.Equal(t, 409, get(p, "POST", "/captures/start").StatusCode, "one at a time")
	require.Contains(t, body(t, get(p, "GET", "/captures/status")), `"running":true`)
	require.Contains(t, body(t, get(p, "POST", "/captures/stop")), `"running":false`)

	var files []observe.CaptureFile
	require.NoError(t, json.Unmarshal([]byte(body(t, get(p, "GET", "/captures/"))), &files))
	require.Len(t, files, 2)
	res = get(p, "GET", "/captures/"+files[0].Name)
	require.Equal(t, 200, res.StatusCode)
	require.Len(t, body(t, res), int(files[0].Size))
	require.Equal(t, "application/octet-stream", res.Header.Get("Content-Type"))

	for url, want := range map[string]int{
		"/captures/start?profile=gpu": 400, "/captures/start?seconds=x": 400, "/captures/start?seconds=301": 400, "/captures/start?a=%zz": 400,
	} {
		require.Equal(t, want, get(p, "POST", url).StatusCode, url)
	}
	for _, name := range []string{"none", "..%2fx", "%2e%2e"} {
		require.Contains(t, []int{404, 301, 307}, get(p, "GET", "/captures/"+name).StatusCode, name)
	}
	require.Equal(t, 403, get(p, "POST", "/captures/start", "Sec-Fetch-Site", "cross-site").StatusCode, "from a page of others")
	require.NoError(t, c.Close())
	require.Equal(t, 503, get(p, "POST", "/captures/start").StatusCode)
}

func TestWithoutCaptures(t *testing.T) {
	p := open(t, debug.Config{})
	for _, url := range []string{"/captures/", "/captures/status", "/captures/x.pprof"} {
		require.Equal(t, 404, get(p, "GET", url).StatusCode, url)
	}
	require.Equal(t, 404, get(p, "POST", "/captures/start").StatusCode)
	require.Equal(t, 404, get(p, "POST", "/captures/stop").StatusCode)
}

func TestADirectoryThatIsGone(t *testing.T) {
	dir := t.TempDir() + "/sub"
	c, err := observe.NewCaptures(observe.CapturesConfig{Dir: dir})
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir))
	require.Equal(t, 500, get(open(t, debug.Config{Captures: c}), "GET", "/captures/").StatusCode)
	require.NoError(t, c.Close())
}
