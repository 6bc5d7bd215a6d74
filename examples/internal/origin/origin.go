// Package origin says from which run a table is: by which command, of which commit, on
// which machine, when. Who reads the table later, in a README, has to know.
package origin

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"
)

// Write writes a command of this module, the commit and the machine, in lines of at most
// 80 columns unless a word is longer.
func Write(w io.Writer, name string, args []string) {
	words := []string{"go", "run", "-C", "examples", "./" + name}
	for _, a := range args {
		if u, err := url.Parse(a); err == nil && u.User != nil {
			a = u.Redacted() // without the password
		}
		words = append(words, a)
	}
	fold(w, words)
	facts := fmt.Sprintf("%s, %s, %s/%s, GOMAXPROCS %d", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := model.FindSubmatch(text); m != nil {
			facts += ", " + string(m[1])
		}
	}
	if c := commit(); c != "" {
		facts += ", commit " + c
	}
	fold(w, strings.Fields(facts))
}

var model = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)

// commit is that of the working directory: go run notes none in what it builds.
func commit() string {
	git := func(args ...string) string {
		out, err := exec.Command("git", args...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	c := git("rev-parse", "--short=12", "HEAD")
	if c != "" && git("status", "--porcelain", "--untracked-files=no") != "" {
		c += " with local changes"
	}
	return c
}

// fold writes words into lines; those after the first are indented.
func fold(w io.Writer, words []string) {
	line := ""
	for i, word := range words {
		switch {
		case i == 0:
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > 80:
			fmt.Fprintln(w, line)
			line = "  " + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(w, line)
}
