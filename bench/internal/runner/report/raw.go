// Package report shows a run: as a table for the terminal, as Markdown, CSV or
// JSON, and as a page with plots that opens offline.
package report

import (
	"fmt"
	"io"

	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// RawHeader writes the configuration lines that precede benchmark lines.
func RawHeader(w io.Writer, in result.Info) error {
	_, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: github.com/poundlock/poundlock/bench\ncpu: %s\ngo: %s\ncores: %d\ncommand: %s\n\n",
		in.Machine.GOOS, in.Machine.GOARCH, in.Machine.CPU, in.Machine.Go, in.Machine.Cores, in.Command)
	return err
}
