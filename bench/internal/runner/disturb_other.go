//go:build !linux

package runner

import "time"

// machineBusy is not known here: only a row whose cores differ much between its
// rounds is flagged.
func machineBusy() (busy, stolen time.Duration, ok bool) { return 0, 0, false }
