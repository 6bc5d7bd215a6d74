package workerpool

import "sync/atomic"

// ctl is the pool's control word: all that decides whether a submission must
// wake or start a worker, so that the answer costs one load and changes by one
// compare-and-swap.
//
//	63     62      61..42    41..22   21..2   1..0
//	+------+-------+---------+--------+-------+-------+
//	| –    | pause | workers | active | idle  | token |
//	+------+-------+---------+--------+-------+-------+
//
// workers: live workers, counted from before their goroutine starts. active:
// those that run a task or are about to take one; a worker becomes active before
// it takes a task and stops being so after it ended, so tasks taken - active is
// never above the number ended. idle: those in the idle stack that nobody has
// reserved; the stack holds at least as many. Workers that are neither are
// searching, on their way, or between two states.
//
// token limits wake-ups to one at a time: see the constants. Whoever gives up a
// token looks at the queue once more afterwards, so a submission that saw the
// token taken may rely on its holder.
type ctl struct{ w atomic.Uint64 }

type ctlState uint64

const (
	tokenNone   = 0 // nobody looks for work: a submission must wake somebody
	tokenComing = 1 // one woken worker has not arrived yet
	tokenSearch = 2 // one worker is looking at the queue right now
	tokenTwo    = 3 // two woken workers have not arrived yet
	tokenMask   = 3

	fieldBits   = 20
	fieldMask   = 1<<fieldBits - 1
	idleShift   = 2
	activeShift = idleShift + fieldBits
	workerShift = activeShift + fieldBits
	idleOne     = ctlState(1) << idleShift
	activeOne   = ctlState(1) << activeShift
	workerOne   = ctlState(1) << workerShift
	pausedBit   = ctlState(1) << 62

	workerCap = fieldMask // what the word can count
)

func (s ctlState) token() int   { return int(s & tokenMask) }
func (s ctlState) idle() int    { return int(s >> idleShift & fieldMask) }
func (s ctlState) active() int  { return int(s >> activeShift & fieldMask) }
func (s ctlState) workers() int { return int(s >> workerShift & fieldMask) }
func (s ctlState) paused() bool { return s&pausedBit != 0 }

func (s ctlState) withToken(t ctlState) ctlState { return s&^tokenMask | t }

func (c *ctl) load() ctlState { return ctlState(c.w.Load()) }

func (c *ctl) cas(old, new ctlState) bool { return c.w.CompareAndSwap(uint64(old), uint64(new)) }

func (c *ctl) sub(d ctlState) ctlState { return ctlState(c.w.Add(-uint64(d))) }

// arrived is s with one coming token used up.
func (s ctlState) arrived() ctlState {
	switch s.token() {
	case tokenComing:
		return s.withToken(tokenNone)
	case tokenTwo:
		return s.withToken(tokenComing)
	}
	return s
}

// arrive makes a woken or new worker active and uses up one coming token.
func (c *ctl) arrive() {
	for {
		if s := c.load(); c.cas(s, (s + activeOne).arrived()) {
			return
		}
	}
}

// unspawn takes a worker that was counted but not started out of the count, and
// uses up one coming token.
func (c *ctl) unspawn() {
	for {
		if s := c.load(); c.cas(s, (s - workerOne).arrived()) {
			return
		}
	}
}

// leave ends a worker's active state and, where search is set, takes the token
// unless another worker searches already: a token still on its way is taken
// over, because this worker is here now. It reports whether it holds the token
// and the state it left behind.
func (c *ctl) leave(search bool) (bool, ctlState) {
	for {
		s := c.load()
		n := s - activeOne
		searching := search && s.token() != tokenSearch
		if searching {
			n = n.withToken(tokenSearch)
		}
		if c.cas(s, n) {
			return searching, n
		}
	}
}

// found turns the searching worker into an active one; the token is free again.
func (c *ctl) found() {
	for {
		s := c.load()
		if c.cas(s, (s + activeOne).withToken(tokenNone)) {
			return
		}
	}
}

// rest counts a worker as idle and gives up its token if it holds it.
func (c *ctl) rest(searching bool) {
	for {
		s := c.load()
		n := s + idleOne
		if searching {
			n = n.withToken(tokenNone)
		}
		if c.cas(s, n) {
			return
		}
	}
}
