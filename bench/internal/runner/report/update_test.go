package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// updated renews a file of the text given and returns its directory and new text.
func updated(t *testing.T, text string) (dir, got string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "f.md")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	require.NoError(t, CheckUpdate(path))
	require.NoError(t, Update(path, sampleRun()))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	return dir, string(after)
}

func TestUpdateRefuses(t *testing.T) {
	r := sampleRun()
	for text, want := range map[string]string{
		"nothing":                                                     "no line <!-- bench REGEXP -->",
		"<!-- bench:tea -->\n<!-- /bench -->\n":                       "no line <!-- bench REGEXP -->",
		"<!-- bench locks -->\nno end":                                "has no <!-- /bench -->",
		"<!-- bench:summary -->\nno end":                              "<!-- bench:summary --> has no <!-- /bench -->",
		"<!-- bench ( -->\n<!-- /bench -->\n":                         "missing closing",
		"<!-- bench nosuch -->\n<!-- /bench -->\n":                    "no case of the run matches",
		"<!-- bench locks -->\n<!-- bench floor -->\n<!-- /bench -->": "has no <!-- /bench -->",
	} {
		path := filepath.Join(t.TempDir(), "f.md")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		if !strings.Contains(text, "nosuch") { // which is known only with the run
			assert.ErrorContains(t, CheckUpdate(path), want, text)
		}
		assert.ErrorContains(t, Update(path, r), want, text)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, text, string(after), "the file is left alone")
	}
}

// A run of some cases renews what it has cases for, and no more.
func TestUpdateKeepsWhatTheRunHasNothingFor(t *testing.T) {
	_, got := updated(t, "a\n<!-- bench nosuch -->\nkept\n<!-- /bench -->\nb\n<!-- bench ^locks/rw -->\nstale\n<!-- /bench -->\nc\n")
	assert.True(t, strings.HasPrefix(got, "a\n<!-- bench nosuch -->\nkept\n<!-- /bench -->\nb\n<!-- bench ^locks/rw -->\n| locks | "), got)
	assert.NotContains(t, got, "stale")
	assert.True(t, strings.HasSuffix(got, "\n<!-- /bench -->\nc\n"), got)
}

func TestUpdateSummary(t *testing.T) {
	_, got := updated(t, "<!-- bench:summary -->\nstale\n<!-- /bench -->\n")
	assert.Contains(t, got, "\n| workerpool | 4 | 0 | 0 | 1.50× |\n| locks | 0 | 0 | 1 | 0.667× |\n| **all** | **4** | **0** | **1** | |\n")
	assert.NotContains(t, got, "| floor |")
	assert.Contains(t, got, "\nWhere poundlock loses, the furthest behind first:\n\n- `locks/rw/writes=10%`: the time of `sync.RWMutex` is 0.667× (0.600–0.800) of poundlock's\n")
	assert.Contains(t, got, "Measured with `go run -C bench . -run 'a|b'` on linux/amd64")
}

// Of many losses three are named, one of a kind.
func TestUpdateNamesThreeLosses(t *testing.T) {
	points := func(names ...string) (ps []point) {
		for _, n := range names {
			group, name, _ := strings.Cut(n, ".")
			ps = append(ps, point{cell: &cell{group: group, name: name}})
		}
		return ps
	}
	assert.Equal(t, points("a.x/1", "b.x/1", "a.y"), worstKinds(points("a.x/1", "a.x/2", "b.x/1", "a.y", "a.x/3")))
	r := sampleRun()
	for _, name := range []string{"p", "q", "r", "s"} {
		row := r.Rows[0]
		lo, hi := 0.1, 0.2
		row.Group, row.Case, row.Impl, row.Baseline, row.Lead, row.Extra = "locks", name, "poundlock", "x", true, false
		row.Ratios = map[string]*result.Ratio{"ns/op": {Value: 0.15, Lo: &lo, Hi: &hi}}
		r.Rows = append(r.Rows, row)
	}
	var b strings.Builder
	markdownSummary(&b, r, summaries(groups(r)))
	assert.Equal(t, mostLosses, strings.Count(b.String(), "\n- `locks/"))
}

func TestUpdateChart(t *testing.T) {
	dir, got := updated(t, "<!-- bench:chart pic -->\nstale\n<!-- /bench -->\n")
	assert.Contains(t, got, "<picture>\n<source media=\"(prefers-color-scheme: dark)\" srcset=\"pic-dark.svg\">\n<img src=\"pic-light.svg\" width=\"720\" alt=\"")
	assert.Contains(t, got, "4 ahead, 1 behind of 5 cases\">")
	var texts []string
	for _, theme := range []string{"light", "dark"} {
		text, err := os.ReadFile(filepath.Join(dir, "pic-"+theme+".svg"))
		require.NoError(t, err)
		s := string(text)
		for d := xml.NewDecoder(strings.NewReader(s)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, s)
			}
		}
		assert.NotRegexp(t, `(?i)href=|url\(|@import|<script|ZgotmplZ`, s, "nothing is fetched")
		for _, want := range []string{`xmlns="http://www.w3.org/2000/svg"`, ">workerpool</text>", "4 ahead · mean 1.50×", ">1×</text>", "v-behind", ">ahead</text>", ">behind</text>"} {
			assert.Contains(t, s, want)
		}
		assert.NotContains(t, s, ">level</text>", "a legend lists what is drawn")
		texts = append(texts, s)
	}
	assert.Contains(t, texts[0], "--bg:#fff")
	assert.NotContains(t, texts[1], "--bg:#fff")
}
