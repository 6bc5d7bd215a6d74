package debug_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/debug"
)

// The page on a mux of your own.
func ExampleHandler() {
	var reg observe.Registry
	if _, err := observe.Add(&reg, "process", new(observe.Runtime)); err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/debug/poundlock/", debug.Handler(&reg))

	srv := httptest.NewServer(mux) // in earnest: http.ListenAndServe("127.0.0.1:6060", mux)
	defer srv.Close()
	res, err := http.Get(srv.URL + "/debug/poundlock/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	_, err = io.Copy(io.Discard, res.Body)
	fmt.Println(res.Status, res.Header.Get("Content-Type"), err)
	// Output: 200 OK text/html; charset=utf-8 <nil>
}
