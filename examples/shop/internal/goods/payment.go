package goods

import (
	"encoding/json"
	"net/http"
	"sync"
)

// Charge is what a payment service is asked: to charge a key, once however often it
// is asked, or to give the money back.
type Charge struct {
	Key   string `json:"key"`
	Cents int64  `json:"cents"`
}

// Payments stands in for a payment service of somebody else's. It answers
// POST /charges with 200, or 402 above Limit, and POST /refunds with 200.
type Payments struct {
	Limit int64 // cents that one charge may have; 0: any

	mu      sync.Mutex       // guards all below
	charged map[string]int64 // cents by key
	hole    chan struct{}    // not nil: nothing is answered until it is closed
	waiting int              // requests that wait for that
}

// BlackHole makes the service do what it is asked and answer nothing, until it is
// called with false.
func (p *Payments) BlackHole(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.hole == nil:
		p.hole = make(chan struct{})
	case !on && p.hole != nil:
		close(p.hole)
		p.hole = nil
	}
}

// Charged returns what was charged and not given back, by key.
func (p *Payments) Charged() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[string]int64, len(p.charged))
	for key, cents := range p.charged {
		all[key] = cents
	}
	return all
}

// Waiting returns how many requests wait for an answer that BlackHole keeps back.
func (p *Payments) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// ServeHTTP answers requests.
func (p *Payments) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var c Charge
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	status := p.apply(r.URL.Path, c)
	if hole := p.enterHole(); hole != nil {
		defer p.leaveHole()
		select {
		case <-hole:
		case <-r.Context().Done():
			return
		}
	}
	w.WriteHeader(status)
}

// enterHole returns what the answer has to wait for, or nil.
func (p *Payments) enterHole() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hole == nil {
		return nil
	}
	p.waiting++
	return p.hole
}

func (p *Payments) leaveHole() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting--
}

func (p *Payments) apply(path string, c Charge) (status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch path {
	case "/charges":
		if p.Limit > 0 && c.Cents > p.Limit {
			return http.StatusPaymentRequired
		}
		if p.charged == nil {
			p.charged = map[string]int64{}
		}
		p.charged[c.Key] = c.Cents
	case "/refunds":
		delete(p.charged, c.Key)
	default:
		return http.StatusNotFound
	}
	return http.StatusOK
}
