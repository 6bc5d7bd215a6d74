package batchchan

// leave follows the marking of an item, which was at that position and of that
// size: it no longer counts as pending, see backlog_leave.go. It reports false if it was
// taken before.
func (c *core[T]) leave(at uint64, size int, e *effects[T]) bool {
	if !c.backlog.mark(at, size) {
		return false
	}
	c.n.cancelled++
	if c.backlog.sparse() {
		open := c.backlog.filling()
		emptied := c.backlog.sweep()
		c.n.cut += uint64(open - c.backlog.filling()) // accepted, and in no batch that will be cut
		for emptied.head != nil {
			c.retire(emptied.pop(), 1, e)
		}
	}
	c.admit(e)
	c.setRoom()
	c.end(e)
	return true
}
