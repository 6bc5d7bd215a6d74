package httpstats_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
)

func ExampleServer() {
	var reg observe.Registry
	server, err := httpstats.NewServer(httpstats.ServerConfig{Registry: &reg, MaxInFlight: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, r.PathValue("id")) })
	handler := server.Wrap(mux)

	for _, path := range []string{"/orders/1", "/orders/2"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	var out strings.Builder
	if err := reg.WriteText(context.Background(), &out); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, `poundlock_http_server_requests_total{name="GET`) {
			fmt.Fprint(os.Stdout, line)
		}
	}
	// Output: poundlock_http_server_requests_total{name="GET /orders/{id}"} 2
}

func ExampleClient() {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	var reg observe.Registry
	client, err := httpstats.NewClient(httpstats.ClientConfig{
		Registry: &reg,
		Route:    func(*http.Request) string { return "inventory" },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	c := &http.Client{Transport: client}
	res, err := c.Get(srv.URL + "/items")
	if err != nil {
		fmt.Println(err)
		return
	}
	res.Body.Close()
	c.CloseIdleConnections()
	for rd := range reg.All(context.Background()) {
		if s, ok := rd.Stats.(*httpstats.ClientStats); ok && rd.Name == "inventory" {
			fmt.Println(s.Requests, s.Responses.ClientError, s.Connections)
		}
	}
	// Output: 1 1 1
}
