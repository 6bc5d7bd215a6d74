package httpstats

import (
	"fmt"
	"log/slog"

	"github.com/poundlock/poundlock/internal/describe"
)

// String returns one readable line.
func (s ServerStats) String() string {
	return fmt.Sprintf("%s requests, %s errors, %s rejected, %s panics; %d in flight; duration %s",
		describe.Count(s.Requests), describe.Count(s.Errors), describe.Count(s.Rejected), describe.Count(s.Panics), s.InFlight, describe.Latency(s.Duration))
}

// LogValue returns the fields that are not zero as a group, for log/slog.
func (s ServerStats) LogValue() slog.Value { return describe.LogValue(s) }

// String returns one readable line.
func (s ClientStats) String() string {
	return fmt.Sprintf("%s requests, %s errors, %s of them timeouts; %d in flight; %s connections made, %s used again; duration %s",
		describe.Count(s.Requests), describe.Count(s.Errors), describe.Count(s.Timeouts), s.InFlight,
		describe.Count(s.Connections), describe.Count(s.Reused), describe.Latency(s.Duration))
}

// LogValue returns the fields that are not zero as a group, for log/slog.
func (s ClientStats) LogValue() slog.Value { return describe.LogValue(s) }
