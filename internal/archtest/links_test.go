package archtest

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	// linked finds where a page leads: [text](target), and the attributes of HTML.
	linked = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:href|src|srcset)="([^"]+)"`)

	// inline finds code within a line, which has no links.
	inline = regexp.MustCompile("`[^`\n]*`")

	heading = regexp.MustCompile(`(?m)^#{1,6} +(.+?)\s*$`)

	// unslugged is what a heading's anchor does not have.
	unslugged = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the names under which a page's headings can be linked to, as GitHub makes
// them.
func anchors(page string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		text := linkText.ReplaceAllString(m[1], "$1")
		names[strings.ReplaceAll(unslugged.ReplaceAllString(strings.ToLower(text), ""), " ", "-")] = true
	}
	return names
}

var linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)

// deadLinks returns the links of a page that lead to no file of the tree, or to no
// heading of it. Those to other sites are not followed.
func deadLinks(tree fs.FS, page string) (found []string, err error) {
	text, err := fs.ReadFile(tree, page)
	if err != nil {
		return nil, err
	}
	prose := inline.ReplaceAllString(fenced.ReplaceAllString(string(text), ""), "")
	for _, m := range linked.FindAllStringSubmatch(prose, -1) {
		target := m[1] + m[2]
		u, err := url.Parse(target)
		if err != nil || u.Scheme != "" || u.Host != "" {
			if err != nil || u.Scheme != "https" {
				found = append(found, target)
			}
			continue
		}
		at := page
		if u.Path != "" {
			at = filepath.ToSlash(filepath.Join(filepath.Dir(page), u.Path))
		}
		info, err := fs.Stat(tree, at)
		switch {
		case err != nil:
			found = append(found, target)
		case u.Fragment == "":
		case info.IsDir():
			found = append(found, target)
		default:
			text, err := fs.ReadFile(tree, at)
			if err != nil {
				return nil, err
			}
			if !anchors(string(text))[u.Fragment] {
				found = append(found, target)
			}
		}
	}
	return found, nil
}

// Every link of every page leads to a file and a heading that are there, and every
// picture is.
func TestLinksLeadSomewhere(t *testing.T) {
	goFiles(t)
	tree := os.DirFS(root)
	for _, path := range pages(t, tree) {
		found, err := deadLinks(tree, path)
		require.NoError(t, err)
		for _, link := range found {
			t.Errorf("%s: %s leads nowhere", path, link)
		}
	}
}

// pages returns the paths of all Markdown files.
func pages(t *testing.T, tree fs.FS) (found []string) {
	require.NoError(t, fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata"):
			return fs.SkipDir
		case !d.IsDir() && filepath.Ext(path) == ".md":
			found = append(found, path)
		}
		return nil
	}))
	require.Greater(t, len(found), 15)
	return found
}

func TestTheRuleOfLinks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	write("b.md", "# Coming from sync.Pool\n## A `Keyed`, or [two](x.md)?\n```\n# no heading\n```\n")
	for text, want := range map[string]int{
		"[a](b.md) [a](sub) [a](b.md#coming-from-syncpool) [a](b.md#a-keyed-or-two)": 0,
		"[a](c.md)":                         1,
		"[a](b.md#nowhere)":                 1,
		"[a](b.md#no-heading)":              1,
		"[a](sub#x)":                        1,
		"# Here\n[a](#here)":                0,
		"[a](#there)":                       1,
		"[![a](https://x.org/a.svg)](b.md)": 0,
		"[a](http://x.org)":                 1,
		`<img src="a.png"> <source srcset="b.md"> <a href="b.md#x">`: 2,
		"`[a](c.md)`\n```go\nf[T](x)\n```\n":                         0,
	} {
		write("a.md", text)
		found, err := deadLinks(os.DirFS(dir), "a.md")
		require.NoError(t, err)
		require.Len(t, found, want, text)
	}
}
