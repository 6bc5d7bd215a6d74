package connpool

// stock is the part of a pool that says how many connections are to be dialed in advance,
// for MinIdle and MinOpen. It is guarded by Pool.mu.
type stock struct {
	minIdle, minOpen int
	due              bool // something has changed since lacks was asked
	off              bool // nothing is kept: the key is unused
}

// look notes that a connection may be missing: one has left, say. A dial that failed is no
// cause: it is tried again at the next tick.
func (s *stock) look() { s.due = s.minIdle > 0 || s.minOpen > 0 }

// lacks returns how many connections are missing, once after each look.
func (s *stock) lacks(conns, lent int) int {
	due := s.due && !s.off
	s.due = false
	if !due {
		return 0
	}
	return max(s.minIdle-(conns-lent), s.minOpen-conns, 0)
}
