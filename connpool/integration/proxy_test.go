package integration

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// proxy stands between a pool and a server, and misbehaves when told to.
type proxy struct {
	t      *testing.T
	addr   string // the same all the time
	target string

	mu     sync.Mutex   // guards all below
	ln     net.Listener // nil while down
	conns  map[net.Conn]bool
	hole   chan struct{} // not nil: nothing is forwarded until it is closed
	refuse int           // so many connections are reset when they are accepted
	delay  time.Duration // before a connection is forwarded
	wg     sync.WaitGroup
}

func newProxy(t *testing.T, target string) *proxy {
	ln := listenAgainAndAgain(t)
	p := &proxy{t: t, addr: ln.Addr().String(), target: target, conns: map[net.Conn]bool{}}
	p.accept(ln)
	t.Cleanup(func() {
		p.blackHole(false)
		p.down()
		p.wg.Wait()
	})
	return p
}

// listenAgainAndAgain listens on a port that stays free while nobody listens there.
// One that the system chose would be of those that it gives to outgoing
// connections too: the clients' own dials could take it meanwhile, and even be
// connected to themselves by it. Common systems choose these from 32768 on.
func listenAgainAndAgain(t *testing.T) net.Listener {
	var err error
	for range 100 {
		var ln net.Listener
		if ln, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20000+rand.IntN(12000))); err == nil {
			return ln
		}
	}
	require.NoError(t, err)
	return nil
}

// up listens, at the same address as before.
func (p *proxy) up() {
	ln, err := net.Listen("tcp", p.addr)
	require.NoError(p.t, err)
	p.accept(ln)
}

func (p *proxy) accept(ln net.Listener) {
	p.mu.Lock()
	p.ln = ln
	p.mu.Unlock()
	p.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			// One that was accepted just before the crash ends with it. If it lived on,
			// a pool could work through it alone, and hardly see that anything is wrong.
			if !p.track(c, ln) {
				rst(c)
				continue
			}
			p.wg.Go(func() { p.serve(c, ln) })
		}
	})
}

// down refuses connections and resets those there are: a crash.
func (p *proxy) down() {
	p.mu.Lock()
	if p.ln != nil {
		p.ln.Close()
		p.ln = nil
	}
	p.mu.Unlock()
	p.reset()
}

// reset ends every connection by an RST.
func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		rst(c)
	}
}

func rst(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// blackHole makes the peer silent: it accepts and reads, and answers nothing.
func (p *proxy) blackHole(on bool) {
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

func (p *proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// track lets reset end c, of a connection that ln accepted, until untrack. It refuses
// when the proxy has gone down since: that reset is over.
func (p *proxy) track(c net.Conn, ln net.Listener) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ln != ln {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) untrack(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// open counts the connections, on both sides.
func (p *proxy) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (p *proxy) serve(c net.Conn, ln net.Listener) {
	defer p.untrack(c)
	defer c.Close()
	p.mu.Lock()
	refuse, delay := p.refuse > 0, p.delay
	if refuse {
		p.refuse--
	}
	p.mu.Unlock()
	if refuse {
		rst(c)
		return
	}
	time.Sleep(delay) // real time: the delay is the fault itself
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		rst(c)
		return
	}
	defer s.Close()
	if !p.track(s, ln) {
		return // and so is c
	}
	defer p.untrack(s)
	done := make(chan struct{}, 2)
	go func() { p.copy(s, c); done <- struct{}{} }()
	go func() { p.copy(c, s); done <- struct{}{} }()
	<-done
	c.Close()
	s.Close()
	<-done
}

func (p *proxy) copy(to, from net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		hole := p.hole
		p.mu.Unlock()
		if hole != nil {
			<-hole // what came is lost with the connection
			rst(to)
			return
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// echoServer returns the address of a server that sends back what it gets.
func echoServer(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}
