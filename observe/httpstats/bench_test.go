package httpstats_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

// What a request of a client costs with and without a Client around the transport.
func BenchmarkClient(b *testing.B) {
	base := trip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody}, nil
	})
	var r observe.Registry
	c, err := httpstats.NewClient(httpstats.ClientConfig{Registry: &r, Base: base})
	require.NoError(b, err)
	for _, c := range []struct {
		name string
		t    http.RoundTripper
	}{{"without", base}, {"with", c}} {
		b.Run(c.name, func(b *testing.B) {
			q := httptest.NewRequest("GET", "http://host.example/", nil)
			b.ReportAllocs()
			for b.Loop() {
				res, err := c.t.RoundTrip(q)
				if err != nil {
					b.Fatal(err)
				}
				_ = res.Body.Close() // NoBody
			}
		})
	}
}
