package httpstats_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

// badError panics when it is looked at.
type badError struct{}

func (badError) Error() string   { return "bad" }
func (badError) Is(_ error) bool { panic("bad Is") }

// badBody panics when it is closed.
type badBody struct{}

func (badBody) Read([]byte) (int, error) { return 0, nil }
func (badBody) Close() error             { panic("bad Close") }

// However a transport ends, the request has ended.
func TestTransportsThatMisbehave(t *testing.T) {
	for name, base := range map[string]trip{
		"neither":   func(*http.Request) (*http.Response, error) { return nil, nil }, //nolint:nilnil // what is tested
		"bad error": func(*http.Request) (*http.Response, error) { return nil, badError{} },
		"bad body": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: badBody{}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			var r observe.Registry
			c, err := httpstats.NewClient(httpstats.ClientConfig{Registry: &r, Base: base})
			require.NoError(t, err)
			func() {
				defer func() { _ = recover() }()
				res, err := (&http.Client{Transport: c}).Get("http://host.example/")
				if err == nil {
					_ = res.Body.Close()
				}
			}()
			s := stats[httpstats.ClientStats](t, &r)["host.example"]
			require.Zero(t, s.InFlight)
			require.EqualValues(t, 1, s.Requests)
		})
	}
}

// A part is never more than its whole, whenever one looks.
func TestPartsAreNeverMoreThanTheirWhole(t *testing.T) {
	var r observe.Registry
	server, err := httpstats.NewServer(httpstats.ServerConfig{Registry: &r, MaxInFlight: 1, Route: func(*http.Request) string { return "x" }})
	require.NoError(t, err)
	handler := server.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	c, err := httpstats.NewClient(httpstats.ClientConfig{Registry: &r, Base: trip(func(*http.Request) (*http.Response, error) { return nil, errors.ErrUnsupported })})
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for range 5000 {
				req := httptest.NewRequest("GET", "http://host.example/", nil)
				handler.ServeHTTP(httptest.NewRecorder(), req)
				_, err := c.RoundTrip(req)
				assert.Error(t, err)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for open := true; open; {
		select {
		case <-done:
			open = false
		default:
		}
		for _, s := range stats[httpstats.ServerStats](t, &r) {
			require.LessOrEqual(t, s.Errors, s.Requests)
			require.LessOrEqual(t, s.Rejected, s.Errors)
			require.LessOrEqual(t, s.Duration.Count, s.Requests)
		}
		for _, s := range stats[httpstats.ClientStats](t, &r) {
			require.LessOrEqual(t, s.Errors, s.Requests)
			require.LessOrEqual(t, s.Duration.Count, s.Requests)
		}
	}
}
