package httpstats_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

// What a transport tells while it makes one request again: parts that follow one
// another, that overlap, that fail, and that end without having begun.
func TestPartsOfARequestThatIsMadeAgain(t *testing.T) {
	dns := func(h *httptrace.ClientTrace, begin bool, _ error) {
		if begin {
			h.DNSStart(httptrace.DNSStartInfo{})
		} else {
			h.DNSDone(httptrace.DNSDoneInfo{})
		}
	}
	connect := func(h *httptrace.ClientTrace, begin bool, err error) {
		if begin {
			h.ConnectStart("tcp", "192.0.2.1:80")
		} else {
			h.ConnectDone("tcp", "192.0.2.1:80", err)
		}
	}
	handshake := func(h *httptrace.ClientTrace, begin bool, err error) {
		if begin {
			h.TLSHandshakeStart()
		} else {
			h.TLSHandshakeDone(tls.ConnectionState{}, err)
		}
	}
	parts := map[string]struct {
		hook   func(h *httptrace.ClientTrace, begin bool, err error)
		of     func(httpstats.ClientStats) observe.Latency
		failed bool // those that failed count
	}{
		"dns":     {dns, func(s httpstats.ClientStats) observe.Latency { return s.DNS }, true},
		"connect": {connect, func(s httpstats.ClientStats) observe.Latency { return s.Connect }, false},
		"tls":     {handshake, func(s httpstats.ClientStats) observe.Latency { return s.TLS }, false},
	}
	const ms = time.Millisecond
	for what, c := range map[string]struct {
		order string // ( begins, ) ends, x fails; 10 ms between two
		count uint64
		sum   time.Duration
		lost  uint64 // of count, those that failed
	}{
		"once":                       {"()", 1, 10 * ms, 0},
		"one after the other":        {"()()", 2, 20 * ms, 0},
		"two at once":                {"(())", 2, 40 * ms, 0},
		"two at once, and a third":   {"(())()", 3, 50 * ms, 0},
		"an end without a beginning": {")()))", 1, 10 * ms, 0},
		"one that does not end":      {"(", 0, 0, 0},
		"one that fails, and again":  {"(x()", 2, 20 * ms, 1},
	} {
		for part, p := range parts {
			t.Run(part+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var r observe.Registry
					c1, err := httpstats.NewClient(httpstats.ClientConfig{Registry: &r, Base: trip(func(q *http.Request) (*http.Response, error) {
						h := httptrace.ContextClientTrace(q.Context())
						for _, does := range c.order {
							var err error
							if does == 'x' {
								err = errors.New("failed")
							}
							p.hook(h, does == '(', err)
							time.Sleep(10 * ms)
						}
						return &http.Response{StatusCode: 204, Body: http.NoBody}, nil
					})})
					require.NoError(t, err)
					res, err := c1.RoundTrip(httptest.NewRequest("GET", "http://host.example/", nil))
					require.NoError(t, err)
					require.NoError(t, res.Body.Close())
					l := p.of(stats[httpstats.ClientStats](t, &r)["host.example"])
					count, sum := c.count, c.sum
					if !p.failed {
						count, sum = count-c.lost, sum-time.Duration(c.lost)*10*ms
					}
					require.Equal(t, count, l.Count)
					require.InDelta(t, sum, time.Duration(l.Count)*l.Mean, float64(sum)*0.04)
				})
			})
		}
	}
}
