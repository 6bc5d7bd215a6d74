package service

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rule that is broken leaves profiles in the directory, and the page hands them out.
func TestABrokenRuleIsCaptured(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, func(cfg *Config) { cfg.Captures = dir })
	inside := b.shop.Debug()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		inside.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	b.shop.see.watcher.Report("slow-requests", "as told by a test")
	var name string
	eventually(t, func() bool { // the first of several: one of the CPU takes 5 s
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, f := range files {
			if w := get("/debug/poundlock/captures/" + f.Name()); w.Code == http.StatusOK && w.Body.Len() > 0 {
				name = f.Name()
			}
		}
		return name != ""
	})
	require.Contains(t, name, "slow-requests")
	require.Contains(t, get("/debug/poundlock/captures/").Body.String(), name)
	require.EqualValues(t, 1, b.shop.see.watcher.Stats().Breaches)
}
