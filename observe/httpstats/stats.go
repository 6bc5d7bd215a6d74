package httpstats

import (
	"sync/atomic"

	"github.com/poundlock/poundlock/observe"
)

// ServerStats says what happened to the requests of one route.
type ServerStats struct {
	Requests      uint64 `json:"requests"`       // requests that ended, refused ones included
	Errors        uint64 `json:"errors"`         // of these, those that ended with a status of 500 or more, or in a panic
	Rejected      uint64 `json:"rejected"`       // of these, those refused with 503 because MaxInFlight were there
	Panics        uint64 `json:"panics"`         // handlers that panicked
	Aborted       uint64 `json:"aborted"`        // handlers that panicked with http.ErrAbortHandler
	ResponseBytes uint64 `json:"response_bytes"` // bytes of bodies written

	Responses Responses `json:"responses"` // by class of status

	InFlight    int `json:"in_flight"`     // requests that are being handled
	MaxInFlight int `json:"max_in_flight"` // bound on InFlight; 0: none

	Duration observe.Latency `json:"duration"` // of requests, but for refused ones: until the handler returned

	parts *parts
}

// ClientStats says what happened to the requests to one host.
type ClientStats struct {
	Requests uint64 `json:"requests"` // requests that ended: with an error, or when the body was read to its end or closed
	Errors   uint64 `json:"errors"`   // of these, those without an answer, and those with a status of 500 or more
	Timeouts uint64 `json:"timeouts"` // of Errors, those whose time was up
	Canceled uint64 `json:"canceled"` // of Errors, those that were cancelled

	Connections uint64 `json:"connections"` // times that a request got a new connection
	Reused      uint64 `json:"reused"`      // times that a request got a connection that was used before

	Responses Responses `json:"responses"` // by class of status

	InFlight int `json:"in_flight"` // requests that have not ended

	DNS       observe.Latency `json:"dns"`        // looking up an address, failed lookups included
	Connect   observe.Latency `json:"connect"`    // connecting by TCP, failed attempts left out
	TLS       observe.Latency `json:"tls"`        // the handshake, failed ones left out
	FirstByte observe.Latency `json:"first_byte"` // from the request to the first byte of the answer
	Duration  observe.Latency `json:"duration"`   // from the request to the end of the body, or to the error

	parts *parts
}

// Responses count answers by the class of their status.
type Responses struct {
	Informational uint64 `json:"1xx"` // the last that was sent; others before it do not count
	Success       uint64 `json:"2xx"` // done
	Redirection   uint64 `json:"3xx"` // look elsewhere
	ClientError   uint64 `json:"4xx"` // the request is wrong
	ServerError   uint64 `json:"5xx"` // the server is
}

// responses is Responses while it is counted.
type responses [5]atomic.Uint64

func (r *responses) count(status int) {
	if i := status/100 - 1; i >= 0 && i < len(r) {
		r[i].Add(1)
	}
}

func (r *responses) load() Responses {
	return Responses{r[0].Load(), r[1].Load(), r[2].Load(), r[3].Load(), r[4].Load()}
}
