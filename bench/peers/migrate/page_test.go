package migrate

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const page = "../../../docs/migrate.md"

// trimmed returns the lines of a text without their indentation, between two line ends.
func trimmed(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// strays returns the blocks of Go code of a page that are in none of the sources.
func strays(text string, sources []string) (found []string) {
	for _, m := range goBlock.FindAllStringSubmatch(text, -1) {
		in := false
		for _, source := range sources {
			in = in || strings.Contains(trimmed(source), trimmed(m[1]))
		}
		if !in {
			found = append(found, m[1])
		}
	}
	return found
}

// What the page shows is, apart from indentation, code of this package.
func TestThePageShowsThisCode(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	paths, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var sources []string
	for _, path := range paths {
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		sources = append(sources, string(source))
	}
	for _, block := range strays(string(text), sources) {
		t.Errorf("%s shows what is no code of this package:\n%s", page, block)
	}
}

// Each section shows what was and what is, and the links at the top lead to sections.
func TestThePageIsComplete(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	parts := strings.Split(string(text), "\n## Coming from ")
	anchors := map[string]bool{}
	for _, part := range parts[1:] {
		name, body, _ := strings.Cut(part, "\n")
		anchors[anchor("Coming from "+name)] = true
		require.GreaterOrEqual(t, len(goBlock.FindAllString(body, -1)), 2, name)
		require.Contains(t, body, "What differs:", name)
	}
	links := regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(string(text), -1)
	require.Len(t, links, len(anchors))
	for _, link := range links {
		require.True(t, anchors[link[1]], "no section %s", link[1])
	}
}

// anchor returns the name that GitHub gives a heading.
func anchor(heading string) string {
	heading = strings.ToLower(strings.ReplaceAll(heading, " ", "-"))
	return regexp.MustCompile(`[^\w-]`).ReplaceAllString(heading, "")
}

func TestStrays(t *testing.T) {
	sources := []string{"func a() {\n\tx := 1\n\n\tif x {\n\t\ty()\n\t}\n}\n"}
	for block, want := range map[string]int{
		"x := 1\n\nif x {\n\ty()\n}": 0,
		"x := 1\nif x {":             1,
		"x := 2":                     1,
		"x := ":                      1, // not a whole line
		"if x {\n\ty()":              0,
	} {
		require.Len(t, strays("before\n\n```go\n"+block+"\n```\nafter", sources), want, block)
	}
	require.Equal(t, "coming-from-syncrwmutex", anchor("Coming from sync.RWMutex"))
}
