package connpool

import "fmt"

// Evict closes the connections for which pred returns true: idle ones now, those
// on loan at their return. It returns how many that are: of a closed pool none. pred
// runs outside the pool's locks, and a panic of it reaches the caller before any is
// closed; a nil pred stands for all connections.
func (p *Pool[C]) Evict(pred func(Info) bool) int {
	p.mu.Lock()
	conns := p.roster.all()
	infos := make([]Info, len(conns))
	now := p.core.clock.now()
	for i, e := range conns {
		infos[i] = e.infoLocked(now)
	}
	p.mu.Unlock()
	var chosen []*entry[C]
	for i, e := range conns {
		if pred == nil || pred(infos[i]) {
			chosen = append(chosen, e)
		}
	}
	n := 0
	p.mu.Lock()
	for _, e := range chosen {
		if p.core.closing.condemn(e, ByEvict) {
			n++
		}
	}
	p.unlock()
	return n
}

// Reset replaces all connections: idle ones are closed now, those on loan at
// their return, and what dials under way bring is closed at once. Use it when the
// server has changed (a failover, new credentials). Waiters keep waiting, for new
// connections. Reset of a closed pool does nothing.
func (p *Pool[C]) Reset() {
	p.mu.Lock()
	p.core.limits.epoch++
	p.core.closing.condemnAll(ByReset)
	p.unlock()
}

// Resize changes MaxOpen. When it shrinks, surplus idle connections are closed
// now and those on loan at their return; Resize does not wait for that. A number
// below 1 or above 2^31-1 is an error, and so is a closed pool.
func (p *Pool[C]) Resize(n int) error {
	if n < 1 || n > 1<<31-1 {
		return fmt.Errorf("connpool: Resize(%d): out of range", n)
	}
	p.mu.Lock()
	defer p.unlock()
	return p.core.resize(n)
}

// closeEnded files the end of e's Close, and frees its slot. It returns what OnClosed is
// to be told.
func (c *core[C]) closeEnded(e *entry[C], err error) Info {
	info := e.infoLocked(c.clock.now())
	c.closing.end(e)
	if err != nil && c.closed {
		c.closing.report(&failedError{"", "close", err})
	}
	c.slotFreed(e.reason == ByKeyLimit)
	return info
}

// hijack takes e, which the pool holds, out for good.
func (c *core[C]) hijack(e *entry[C]) {
	c.roster.remove(e, ended)
	c.n.hijacked++
	c.slotFreed(false)
}
