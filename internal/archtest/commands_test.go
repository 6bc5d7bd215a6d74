package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// goCommand finds the commands of a page that a reader may type: up to the end of the
// line, of the code between backticks, or of the sentence in a comment.
var goCommand = regexp.MustCompile("go (?:run|test|generate|build|vet) [^\\n`#;)]+")

// fileFlags are the flags of the comparison that name a file of the repository.
var fileFlags = []string{"-bars", "-update", "-fail-below"}

// deadCommand says what is wrong with a command as it is typed in the root, or in the
// directory that -C names: it must find its package, in the module of that directory, and
// the files that it reads.
func deadCommand(tree fs.FS, command string) string {
	words := strings.Fields(command)
	dir := "."
	for i, w := range words {
		next := ""
		if i+1 < len(words) {
			next = strings.Trim(words[i+1], "'\"")
		}
		switch {
		case w == "-C":
			if dir = next; !there(tree, dir+"/go.mod") {
				return dir + " is no module"
			}
		case slices.Contains(fileFlags, w):
			if !there(tree, filepath.ToSlash(filepath.Join(dir, next))) {
				return next + " is not in " + dir
			}
		case w == "." || strings.HasPrefix(w, "./") && !strings.HasPrefix(w, "./PACKAGE"):
			pkg := strings.TrimSuffix(strings.TrimSuffix(w, "..."), "/")
			at := filepath.ToSlash(filepath.Join(dir, pkg))
			if !there(tree, at) {
				return w + " is not in " + dir
			}
			for up := at; up != dir && up != "."; up = filepath.ToSlash(filepath.Dir(up)) {
				if there(tree, up+"/go.mod") {
					return w + " is of another module than " + dir
				}
			}
		}
	}
	return ""
}

func there(tree fs.FS, path string) bool {
	_, err := fs.Stat(tree, path)
	return err == nil
}

// recordsOnly are pages whose commands are those of a time, or of a run: the second is
// made by the comparison.
var recordsOnly = []string{"CHANGELOG.md", "bench/BARS.md"}

// What a page says to type does what it says: it worked when somebody wrote it, and
// directories have moved since.
func TestCommandsOfPagesCanBeTyped(t *testing.T) {
	goFiles(t)
	tree, seen := os.DirFS(root), 0
	for _, path := range pages(t, tree) {
		if slices.Contains(recordsOnly, path) {
			continue
		}
		text, err := fs.ReadFile(tree, path)
		require.NoError(t, err)
		for _, command := range goCommand.FindAllString(joined.ReplaceAllString(string(text), "$1 $2"), -1) {
			seen++
			if wrong := deadCommand(tree, command); wrong != "" {
				t.Errorf("%s: %s: %s", path, command, wrong)
			}
		}
	}
	require.Greater(t, seen, 25)
}

// joined finds the end of a line within code between backticks.
var joined = regexp.MustCompile("(`[^`\n]+)\n([^`\n]+`)")

func TestTheRuleOfCommands(t *testing.T) {
	tree := os.DirFS(root)
	for command, right := range map[string]bool{
		"go run -C bench . -quick":                             true,
		"go test ./...":                                        true,
		"go test -race -bench . ./PACKAGE":                     true,
		"go run -C bench . -bars BARS.md -update ../README.md": true,
		"go run -C bench . -bars bench/BARS.md":                false,
		"go run ./bench":                                       false,
		"go test ./nowhere":                                    false,
		"go run -C nowhere .":                                  false,
		"go run -C examples ./otlp -plot /tmp/x.html":          true,
	} {
		require.Equal(t, right, deadCommand(tree, command) == "", command)
	}
}
