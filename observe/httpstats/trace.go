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
	var on starts
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
		DNSStart:             func(httptrace.DNSStartInfo) { on.begin("dns") },
		DNSDone: func(httptrace.DNSDoneInfo) {
			if d, ok := on.end("dns"); ok {
				cr.dns.Record(d)
			}
		},
		ConnectStart: func(network, addr string) { on.begin("connect " + network + addr) },
		ConnectDone: func(network, addr string, err error) {
			if d, ok := on.end("connect " + network + addr); ok && err == nil {
				cr.connect.Record(d)
			}
		},
		TLSHandshakeStart: func() { on.begin("tls") },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if d, ok := on.end("tls"); ok && err == nil {
				cr.tls.Record(d)
			}
		},
	}
}

// starts are when the parts began that have not ended. A request that is made again may
// have two of one sort at once. The first to end then takes the earliest start: each is
// counted, and their sum is right.
type starts struct {
	mu sync.Mutex
	at map[string][]time.Time // guarded by mu; nil until something begins: a reused connection costs nothing
}

func (s *starts) begin(part string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = map[string][]time.Time{}
	}
	s.at[part] = append(s.at[part], time.Now())
}

// end returns how long a part took, and false for one that did not begin.
func (s *starts) end(part string) (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at[part]
	if len(at) == 0 {
		return 0, false
	}
	s.at[part] = at[1:]
	return time.Since(at[0]), true
}
