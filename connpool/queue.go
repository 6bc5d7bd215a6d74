package connpool

// pushLocked queues w and raises the gate.
func (p *Pool[C]) pushLocked(w *waiter[C]) {
	p.waiters.push(w)
	if p.waiters.n == 1 {
		p.gate.set(gateWaiters, true)
	}
}

// dropLocked takes w out of the queue, in the given state.
func (p *Pool[C]) dropLocked(w *waiter[C], s waitState) {
	if j := p.waiters.drop(w, s); j != nil && s == waitGone {
		p.lateLocked(j) // w lost patience with the dial, and others should not rely on it
	}
	if p.waiters.n == 0 {
		p.gate.set(gateWaiters, false)
	}
}

// headLocked returns the first waiter that may be served, or nil. Those whose ctx
// is done are passed over: they are on their way out, and a connection given to
// them would only come back later.
func (p *Pool[C]) headLocked() *waiter[C] {
	for !p.paused {
		w := p.waiters.head
		if w == nil {
			return nil
		}
		select {
		case <-w.done:
			p.dropLocked(w, waitGone)
		default:
			return w
		}
	}
	return nil
}

// grantLocked ends w's wait with a connection or an error.
func (p *Pool[C]) grantLocked(w *waiter[C], c Conn[C], err error) {
	p.dropLocked(w, waitGranted)
	w.conn, w.err = c, err
	p.waiters.granted(w)
}

// grantAllLocked ends all waits with an error.
func (p *Pool[C]) grantAllLocked(err error) {
	for w := p.waiters.head; w != nil; w = p.waiters.head {
		p.grantLocked(w, Conn[C]{}, err)
	}
}
