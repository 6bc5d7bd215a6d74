package connpool

// limits is the part of a pool that says how many connections there may be, and which are
// older than the last Reset. It is guarded by Pool.mu and told how the slots are used at the moment.
type limits struct {
	maxOpen    int // Resize changes it
	maxIdle    int
	maxDialing int    // 0: as maxOpen
	epoch      uint64 // grows with every Reset: what was dialed earlier is not lent again
}

// usage is how the slots of a pool are used at one moment. All of them together are at most
// maxOpen, except after a Resize to less.
type usage struct {
	conns   int // connections in the roster
	dialing int // dials under way
	closing int // connections whose Close has not returned
}

func (u usage) open() int { return u.conns + u.dialing + u.closing }

// room returns how many dials may begin now.
func (l *limits) room(u usage) int {
	most := l.maxDialing
	if most == 0 {
		most = l.maxOpen
	}
	return min(l.maxOpen-u.open(), most-u.dialing)
}

// toCome returns how many dials can begin before any loan is returned: in slots that are
// free but must wait (for the back-off, say), or are closing.
func (l *limits) toCome(u usage) int { return max(l.maxOpen-u.conns-u.dialing, 0) }

// mostIdle returns how many connections can be open at once with nothing on loan.
func (l *limits) mostIdle() int { return min(l.maxOpen, l.maxIdle) }

// refuses returns why a connection whose dial began in the given epoch, and which u
// counts, must not be lent again, or 0.
func (l *limits) refuses(epoch uint64, u usage) Reason {
	switch {
	case epoch != l.epoch:
		return ByReset
	case u.conns+u.dialing > l.maxOpen:
		return ByResize
	}
	return 0
}

// surplus reports whether a release may have to close a connection.
func (l *limits) surplus(u usage) bool { return u.open() > l.maxOpen || u.conns > l.maxIdle }

// trims returns why one of the given number of idle connections is too many, or 0.
func (l *limits) trims(u usage, idle int) Reason {
	switch {
	case idle <= 0:
		return 0
	case u.conns+u.dialing > l.maxOpen:
		return ByResize
	case idle > l.maxIdle:
		return ByMaxIdle
	}
	return 0
}
