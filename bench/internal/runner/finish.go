package runner

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/poundlock/poundlock/bench/internal/runner/report"
	"github.com/poundlock/poundlock/bench/internal/runner/result"
)

// report prints and writes what was found and returns the exit status.
func (c command) report(r *result.Run, o *options) int {
	if err := report.Print(c.stdout, r, o.format); err != nil {
		return c.fail(err)
	}
	if o.from == "" {
		if err := r.Save(o.out); err != nil {
			return c.fail(err)
		}
		fmt.Fprintf(c.stderr, "written to %s: results.json, raw.txt\n", o.out+string(filepath.Separator))
	}
	status := statusOK
	for i := range r.Rows {
		if r.Rows[i].Failed != "" {
			status = statusShort
		}
	}
	if r.Info.Ended == "interrupted" {
		status = statusInterrupted
	}
	return status
}

var _ = os.Stdout
