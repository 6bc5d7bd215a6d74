package httpstats

import (
	"iter"
	"net/http"
	"sync/atomic"

	"github.com/poundlock/poundlock/observe"
)

// OtherMethod is the method of a [Part] for all methods that no standard knows: callers
// choose them.
const OtherMethod = "_OTHER"

// Part is those requests of an instrument that had a method, a scheme and a status in
// common: what OpenTelemetry's semantic conventions tell apart, and observe/otel shows.
type Part struct {
	Method   string                  // as in http.MethodGet, or OtherMethod
	TLS      bool                    // the scheme was https
	Status   int                     // 0: no answer, or one that broke off
	Duration func(*observe.Snapshot) // adds the distribution of Duration, refused requests left out, to a snapshot
}

// methods are those of RFC 9110, PATCH and QUERY.
var methods = [...]string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodConnect, http.MethodOptions, http.MethodTrace, "QUERY", OtherMethod,
}

// parts are made when a request is the first of its part. A server's handlers choose the
// status, so there are few; the bound is 11 methods, 2 schemes and 900 statuses.
type parts [len(methods) * 2 * statusClasses]atomic.Pointer[partsOfClass]

type partsOfClass [100]atomic.Pointer[observe.Histogram]

const statusClasses = 10 // net/http lets pass 100 to 999; 0 is none

// of returns the distribution of one part. A status that cannot be sent is none.
func (p *parts) of(method string, tls bool, status int) *observe.Histogram {
	if method == "" { // of a client
		method = http.MethodGet
	}
	m := 0
	for m < len(methods)-1 && methods[m] != method {
		m++
	}
	if status < 100 || status > 999 {
		status = 0
	}
	scheme := 0
	if tls {
		scheme = 1
	}
	class := made(&p[(m*2+scheme)*statusClasses+status/100])
	return made(&class[status%100])
}

// made returns what p points to, a new one if that is nothing.
func made[T any](p *atomic.Pointer[T]) *T {
	if t := p.Load(); t != nil {
		return t
	}
	p.CompareAndSwap(nil, new(T))
	return p.Load()
}

// all yields the parts that have requests. A nil p has none.
func (p *parts) all() iter.Seq[Part] {
	return func(yield func(Part) bool) {
		if p == nil {
			return
		}
		for i := range p {
			class := p[i].Load()
			if class == nil {
				continue
			}
			for j := range class {
				h := class[j].Load()
				of := i / statusClasses
				if h != nil && !yield(Part{methods[of/2], of%2 == 1, i%statusClasses*100 + j, h.AddTo}) {
					return
				}
			}
		}
	}
}

// Parts yields the requests by method, scheme and status. The zero ServerStats has none.
func (s ServerStats) Parts() iter.Seq[Part] { return s.parts.all() }

// Parts yields the requests by method, scheme and status. The zero ClientStats has none.
func (s ClientStats) Parts() iter.Seq[Part] { return s.parts.all() }
