package debug

import (
	"context"
	"fmt"
	"net/http"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The longest profile that is taken over HTTP.
const mostSeconds = 300

// pprof serves profiles as net/http/pprof does, without what that package puts on
// the default mux.
func (p *Page) pprof(w http.ResponseWriter, r *http.Request) {
	switch name := r.PathValue("name"); name {
	case "":
		p.profileList(w)
	case "profile":
		timed(w, r, 5, "profile", func() error { return pprof.StartCPUProfile(w) }, pprof.StopCPUProfile)
	case "trace":
		timed(w, r, 1, "trace", func() error { return trace.Start(w) }, trace.Stop)
	default:
		profile := pprof.Lookup(name)
		if profile == nil {
			http.Error(w, "no such profile", http.StatusNotFound)
			return
		}
		debug, _ := strconv.Atoi(r.FormValue("debug")) // 0 is right for what is no number
		if debug > 0 {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		} else {
			attach(w, name)
		}
		_ = profile.WriteTo(w, debug) // a client that left
	}
}

// timed writes what is recorded for a number of seconds.
func timed(w http.ResponseWriter, r *http.Request, seconds int, name string, start func() error, stop func()) {
	if s := r.FormValue("seconds"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > mostSeconds {
			http.Error(w, fmt.Sprintf("seconds=%q is not in 1 to %d", s, mostSeconds), http.StatusBadRequest)
			return
		}
		seconds = n
	}
	d := time.Duration(seconds) * time.Second
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d + 30*time.Second)) // where there is none there is no timeout
	attach(w, name)
	if err := start(); err != nil { // another one runs
		w.Header().Del("Content-Disposition")
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	defer stop()
	sleep(r.Context(), d)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}

func (p *Page) profileList(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	var b strings.Builder
	for _, pr := range pprof.Profiles() {
		fmt.Fprintf(&b, "%6d %s\n", pr.Count(), pr.Name())
	}
	lines := slices.Sorted(strings.Lines(b.String()))
	_, _ = fmt.Fprintf(w, "%s\nprofile?seconds=5\ntrace?seconds=1\ngoroutine?debug=2\n", strings.Join(lines, "")) // a client that left
}
