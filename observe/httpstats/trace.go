package httpstats

import (
	"crypto/tls"
	"net/http/httptrace"
	"sync"
	"time"
)

// trace times the parts of a request. Some hooks run on other goroutines, for several
// addresses at once, and after the request has ended: a connection that is not
// needed any more is made to the end.
func (c *call) trace() *httptrace.ClientTrace {
	var mu sync.Mutex
	var dns, handshake time.Time
	connects := map[string]time.Time{} // by network and address
	since := func(at *time.Time) (time.Duration, bool) {
		mu.Lock()
		defer mu.Unlock()
		if at.IsZero() {
			return 0, false
		}
		d := time.Since(*at)
		*at = time.Time{}
		return d, true
	}
	begin := func(at *time.Time) {
		mu.Lock()
		defer mu.Unlock()
		*at = time.Now()
	}
	cr := c.route
	return &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if info.Reused {
				cr.reused.Add(1)
			} else {
				cr.connections.Add(1)
			}
		},
		GotFirstResponseByte: func() { cr.firstByte.Record(time.Since(c.start)) },
		DNSStart:             func(httptrace.DNSStartInfo) { begin(&dns) },
		DNSDone: func(httptrace.DNSDoneInfo) {
			if d, ok := since(&dns); ok {
				cr.dns.Record(d)
			}
		},
		ConnectStart: func(network, addr string) {
			mu.Lock()
			defer mu.Unlock()
			connects[network+addr] = time.Now()
		},
		ConnectDone: func(network, addr string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if at, ok := connects[network+addr]; ok && err == nil {
				cr.connect.Record(time.Since(at))
			}
		},
		TLSHandshakeStart: func() { begin(&handshake) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if d, ok := since(&handshake); ok && err == nil {
				cr.tls.Record(d)
			}
		},
	}
}
