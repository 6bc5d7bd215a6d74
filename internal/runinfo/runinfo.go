// Package runinfo tells what figures are to be read with: the machine and the commit, in
// lines that fit a terminal. The comparison and the examples print it; no package that
// users import does.
package runinfo

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"unicode/utf8"
)

// Width is how many columns a line has.
const Width = 80

// Field returns the first value of a "name : value" line of a file like /proc/cpuinfo,
// or "".
func Field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if k, v, ok := strings.Cut(sc.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Processor returns the name of the processor, or "".
func Processor() string { return Field("/proc/cpuinfo", "model name") }

// Commit returns that of the working directory, or "": go run notes none in what it
// builds.
func Commit() string {
	git := func(args ...string) string {
		out, err := exec.Command("git", args...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	rev := git("rev-parse", "--short=12", "HEAD")
	if rev != "" && git("status", "--porcelain", "--untracked-files=no") != "" {
		rev += " with local changes"
	}
	return rev
}

// Fold writes words in lines of at most Width columns, those after the first indented. A
// word that is longer than a line has one of its own.
func Fold(w io.Writer, words []string) error {
	var lines strings.Builder
	line := ""
	for i, word := range words {
		switch {
		case i == 0:
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > Width:
			lines.WriteString(line + "\n")
			line = "  " + word
		default:
			line += " " + word
		}
	}
	_, err := io.WriteString(w, lines.String()+line+"\n")
	return err
}
