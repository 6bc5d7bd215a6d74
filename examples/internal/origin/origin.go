// Package origin says from which run a table is: by which command, of which commit, on
// which machine, when. Who reads the table later, in a README, has to know.
package origin

import (
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/poundlock/poundlock/internal/runinfo"
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
	_ = runinfo.Fold(w, words)
	facts := fmt.Sprintf("%s, %s, %s/%s, GOMAXPROCS %d", time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	if cpu := runinfo.Processor(); cpu != "" {
		facts += ", " + cpu
	}
	if c := runinfo.Commit(); c != "" {
		facts += ", commit " + c
	}
	_ = runinfo.Fold(w, strings.Fields(facts))
}
