package migrate

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/poundlock/poundlock/internal/pagecode"
	"github.com/stretchr/testify/require"
)

const page = "../../../docs/migrate.md"

// What the page shows is, apart from indentation, code of this package.
func TestThePageShowsThisCode(t *testing.T) { pagecode.Check(t, page) }

// Each section shows what was and what is, and the links at the top lead to sections.
func TestThePageIsComplete(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	parts := strings.Split(string(text), "\n## Coming from ")
	anchors := map[string]bool{}
	for _, part := range parts[1:] {
		name, body, _ := strings.Cut(part, "\n")
		anchors[anchor("Coming from "+name)] = true
		require.GreaterOrEqual(t, len(pagecode.Blocks(body)), 2, name)
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

func TestAnchor(t *testing.T) {
	require.Equal(t, "coming-from-syncrwmutex", anchor("Coming from sync.RWMutex"))
}
