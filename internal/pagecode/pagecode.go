// Package pagecode finds the Go code in Markdown pages that nobody has compiled.
package pagecode

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// Blocks returns the blocks of Go code of a page.
func Blocks(text string) (all []string) {
	for _, m := range goBlock.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

// Strays returns the blocks of Go code of a page that are in none of the sources, apart
// from indentation.
func Strays(text string, sources []string) (found []string) {
	for _, block := range Blocks(text) {
		in := false
		for _, source := range sources {
			in = in || strings.Contains(trimmed(source), trimmed(block))
		}
		if !in {
			found = append(found, block)
		}
	}
	return found
}

// trimmed returns the lines of a text without their indentation, between two line ends.
func trimmed(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}

// Check fails if the page shows Go code that is not in the test files of the directory
// where the test runs. It returns the page.
func Check(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources []string
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(source))
	}
	if len(Blocks(string(text))) == 0 {
		t.Errorf("%s shows no code", page)
	}
	for _, block := range Strays(string(text), sources) {
		t.Errorf("%s shows what is no code of this package:\n%s", page, block)
	}
	return string(text)
}
