package debug

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/poundlock/poundlock/observe"
)

//go:embed page.html
var page []byte

// Config is what a [Page] is made of.
type Config struct {
	// Registry is what is shown. It is required.
	Registry *observe.Registry

	// Captures are offered on the page. Nil: none.
	Captures *observe.Captures

	// Title is the page's. "": the program's name.
	Title string

	// Token, if not empty, must come with every request: as "Authorization: Bearer TOKEN",
	// or once as the query's token=TOKEN, for which the browser gets a cookie.
	Token string

	// Interval is the time between two samples. 0: 1 s.
	Interval time.Duration

	// Always makes the page sample from New until Close, so that whoever opens it sees the
	// minute before. Otherwise sampling begins when somebody opens the page.
	Always bool
}

// Page is an http.Handler that shows a registry. It is safe for concurrent use.
type Page struct {
	cfg    Config
	feed   *feed
	routes *http.ServeMux
	cross  *http.CrossOriginProtection
}

// Handler returns a handler for the registry with the defaults of [Config]. A nil registry
// panics. Streams to browsers end when their requests do; to have
// http.Server.Shutdown end them, use [New] and [Page.Close].
func Handler(r *observe.Registry) http.Handler {
	p, err := New(Config{Registry: r})
	if err != nil {
		panic(err)
	}
	return p
}

// New returns a page. It returns an error if the Registry is nil or the Interval
// negative.
func New(cfg Config) (*Page, error) {
	switch {
	case cfg.Registry == nil:
		return nil, errors.New("debug: Config.Registry is nil")
	case cfg.Interval < 0:
		return nil, fmt.Errorf("debug: Config.Interval is negative: %v", cfg.Interval)
	}
	if cfg.Interval == 0 {
		cfg.Interval = time.Second
	}
	if cfg.Title == "" {
		cfg.Title = filepath.Base(os.Args[0])
	}
	p := &Page{cfg: cfg, feed: newFeed(cfg), routes: http.NewServeMux(), cross: http.NewCrossOriginProtection()}
	p.routes.HandleFunc("GET /{$}", p.page)
	p.routes.HandleFunc("GET /events", p.events)
	p.routes.HandleFunc("GET /metrics", p.metrics)
	p.routes.HandleFunc("GET /json", p.json)
	p.routes.HandleFunc("GET /pprof/{name...}", p.pprof)
	p.routes.HandleFunc("GET /captures/{$}", p.captureList)
	p.routes.HandleFunc("GET /captures/status", p.captureStatus)
	p.routes.HandleFunc("GET /captures/{name}", p.captureFile)
	p.routes.HandleFunc("POST /captures/start", p.captureStart)
	p.routes.HandleFunc("POST /captures/stop", p.captureStop)
	return p, nil
}

// Close ends all streams and the sampling, and waits until no sample is being taken. From
// then on streams are refused; other requests are still answered. It may be called again.
// To let a server shut down:
//
//	server.RegisterOnShutdown(func() { page.Close() })
func (p *Page) Close() error {
	p.feed.close()
	return nil
}

// ServeHTTP serves the page and what is below it.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := below(r)
	if !ok { // without its last slash the page's links would miss
		w.Header().Set("Location", path.Base(r.URL.Path)+"/")
		if r.URL.Path == "" { // http.StripPrefix left nothing
			w.Header().Set("Location", path.Base(strings.SplitN(r.RequestURI, "?", 2)[0])+"/")
		}
		w.WriteHeader(http.StatusPermanentRedirect)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if !p.allowed(w, r) {
		return
	}
	if err := p.cross.Check(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = rest, ""
	p.routes.ServeHTTP(w, inner)
}

// below returns what the request's path has below the place where the page is
// mounted, with a slash before it. A ServeMux leaves its pattern in the request; other
// routers strip the prefix, or are given a pattern that ends in a wildcard.
func below(r *http.Request) (rest string, ok bool) {
	pattern := r.Pattern
	if i := strings.IndexByte(pattern, ' '); i >= 0 { // a method
		pattern = strings.TrimLeft(pattern[i:], " ")
	}
	if i := strings.IndexByte(pattern, '/'); i >= 0 { // a host
		pattern = pattern[i:]
	}
	pattern, _, _ = strings.Cut(pattern, "{")
	rest = r.URL.Path
	if strings.HasSuffix(pattern, "/") && strings.HasPrefix(rest, pattern) {
		rest = rest[len(pattern)-1:]
	}
	if rest == "" || pattern == r.URL.Path && !strings.HasSuffix(pattern, "/") {
		return "", false
	}
	if rest[0] != '/' {
		rest = "/" + rest
	}
	return rest, true
}

const cookieName = "poundlock_debug"

// allowed says whether a request has the token, and answers it if not.
func (p *Page) allowed(w http.ResponseWriter, r *http.Request) bool {
	if p.cfg.Token == "" {
		return true
	}
	secret := digest(p.cfg.Token)
	same := func(got string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(secret)) == 1 }
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && same(digest(bearer)) {
		return true
	}
	if c, err := r.Cookie(cookieName); err == nil && same(c.Value) {
		return true
	}
	if t := r.URL.Query().Get("token"); t != "" && same(digest(t)) && r.Method == http.MethodGet {
		http.SetCookie(w, &http.Cookie{
			Name: cookieName, Value: secret, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
		})
		w.Header().Set("Location", "?") // the same address, without the token
		w.WriteHeader(http.StatusSeeOther)
		return false
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	http.Error(w, "a token is needed: Authorization: Bearer TOKEN, or ?token=TOKEN", http.StatusUnauthorized)
	return false
}

// digest makes tokens of one length, and keeps them out of cookies.
func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (p *Page) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = w.Write(page) // a client that left
}

func (p *Page) metrics(w http.ResponseWriter, r *http.Request) {
	// What is written is whole unless the client left.
	if strings.Contains(r.Header.Get("Accept"), "application/openmetrics-text") {
		w.Header().Set("Content-Type", observe.OpenMetricsType)
		_ = p.cfg.Registry.WriteOpenMetrics(r.Context(), w)
		return
	}
	w.Header().Set("Content-Type", observe.TextType)
	_ = p.cfg.Registry.WriteText(r.Context(), w)
}

func (p *Page) json(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = p.cfg.Registry.WriteJSON(r.Context(), w) // a client that left
}
