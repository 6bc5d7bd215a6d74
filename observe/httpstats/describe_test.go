package httpstats_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

func TestStatsAreReadable(t *testing.T) {
	took := observe.Latency{Count: 3, P50: time.Millisecond, P99: 2 * time.Millisecond, Max: 3 * time.Millisecond}
	s := httpstats.ServerStats{Requests: 12_345, Errors: 2, Rejected: 3, Panics: 4, InFlight: 5, Duration: took}
	require.Equal(t, "12.3k requests, 2 errors, 3 rejected, 4 panics; 5 in flight; duration p50 1ms p99 2ms max 3ms", s.String())
	c := httpstats.ClientStats{Requests: 6, Errors: 7, Timeouts: 8, InFlight: 9, Connections: 10, Reused: 11}
	require.Equal(t, "6 requests, 7 errors, 8 of them timeouts; 9 in flight; 10 connections made, 11 used again; duration none", c.String())
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "s", s, "c", c)
	require.Contains(t, b.String(), "s.requests=12345 s.errors=2")
	require.Contains(t, b.String(), "c.reused=11 c.in_flight=9\n", "what is zero is left out")
}
