package debug

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"github.com/poundlock/poundlock/observe"
)

// captured answers for a page without captures.
func (p *Page) captured(w http.ResponseWriter) (*observe.Captures, bool) {
	if p.cfg.Captures == nil {
		http.Error(w, "there are no captures: Config.Captures is nil", http.StatusNotFound)
		return nil, false
	}
	return p.cfg.Captures, true
}

func (p *Page) captureList(w http.ResponseWriter, _ *http.Request) {
	c, ok := p.captured(w)
	if !ok {
		return
	}
	files, err := c.List()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if files == nil {
		files = []observe.CaptureFile{}
	}
	reply(w, http.StatusOK, files)
}

func (p *Page) captureStatus(w http.ResponseWriter, _ *http.Request) {
	if c, ok := p.captured(w); ok {
		reply(w, http.StatusOK, c.Status())
	}
}

func (p *Page) captureStart(w http.ResponseWriter, r *http.Request) {
	c, ok := p.captured(w)
	if !ok {
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var d time.Duration
	if s := r.Form.Get("seconds"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > mostSeconds {
			http.Error(w, fmt.Sprintf("seconds=%q is not in 1 to %d", s, mostSeconds), http.StatusBadRequest)
			return
		}
		d = time.Duration(n) * time.Second
	}
	why := r.Form.Get("why")
	if why == "" {
		why = "by-hand"
	}
	var what []observe.Profile
	for _, name := range r.Form["profile"] {
		what = append(what, observe.Profile(name))
	}
	switch err := c.Start(why, d, what...); {
	case err == nil:
		reply(w, http.StatusAccepted, c.Status())
	case errors.Is(err, observe.ErrBusy):
		http.Error(w, err.Error(), http.StatusConflict)
	case errors.Is(err, observe.ErrClosed):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default: // no such profile
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (p *Page) captureStop(w http.ResponseWriter, _ *http.Request) {
	if c, ok := p.captured(w); ok {
		reply(w, http.StatusOK, c.Stop())
	}
}

func (p *Page) captureFile(w http.ResponseWriter, r *http.Request) {
	c, ok := p.captured(w)
	if !ok {
		return
	}
	name := r.PathValue("name")
	f, err := c.Open(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		http.Error(w, "no such capture", http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer f.Close()
	attach(w, name)
	info, err := f.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left
}
