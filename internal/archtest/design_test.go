package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fileNames finds in a page the names of files: code between backticks that ends
// like one, and the targets of links.
var fileNames = regexp.MustCompile("`([\\w./-]+\\.(?:go|s|md|txt|svg|html|sh))`|\\]\\(([^)#:\\s]+)(?:#[^)]*)?\\)")

// fenced finds a page's blocks of code, in which a[T](x) is no link.
var fenced = regexp.MustCompile("(?ms)^```.*?^```$")

// missing returns the files that a page names and that do not exist. A bare name
// is looked for in dir; a path in the root; a link beside the page.
func missing(page, dir, text string) (found []string) {
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	for _, m := range fileNames.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name, link := m[1], m[2]
		switch {
		case link != "":
			if !exists(filepath.Join(filepath.Dir(page), link)) {
				found = append(found, link)
			}
		case strings.ContainsRune(name, '/'):
			if !exists(filepath.Join(root, name)) && !exists(filepath.Join(dir, name)) {
				found = append(found, name)
			}
		case !exists(filepath.Join(dir, name)):
			found = append(found, name)
		}
	}
	return found
}

// The map of the code names the files that are there: docs/design.md from the
// root, docs/design/<package>.md from the package.
func TestTheMapNamesFilesThatExist(t *testing.T) {
	goFiles(t)
	docs := filepath.Join(root, "docs")
	err := filepath.WalkDir(docs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir := root
		if filepath.Base(filepath.Dir(path)) == "design" {
			dir = filepath.Join(root, strings.TrimSuffix(d.Name(), ".md"))
		}
		for _, name := range missing(path, dir, string(text)) {
			t.Errorf("%s names %s, which does not exist", path, name)
		}
		return nil
	})
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
}

func TestTheRuleOfTheMap(t *testing.T) {
	page, dir := filepath.Join(root, "docs", "design.md"), filepath.Join(root, "locks")
	for text, want := range map[string]int{
		"`rwmutex.go` and `locks/rwmutex.go`":                      0,
		"`internal/stats/histogram.go`":                            0,
		"`nowhere.go`":                                             1,
		"`locks/nowhere.go`, `nowhere/x.go`":                       2,
		"`Pool.go` calls `run()`; rwnowhere.go is prose":           1,
		"[README](../README.md), [that](../README.md#x)":           0,
		"[a](no.md)\n```go\nf[int](x)\n```\n[b](no.md)":            2,
		"[nothing](nothing.md) and [web](https://example.org/a.b)": 1,
	} {
		require.Len(t, missing(page, dir, text), want, text)
	}
}
