package batchchan

// keyedLine holds the senders that wait for room in a Keyed, each in the FIFO of its
// key. A key that senders wait with is in one of two heaps, ordered by the arrival of
// its first sender. wantRoom holds the keys that are busy: their senders need room for
// the item alone. wantKey holds the others: their senders also need room for one more
// busy key (MaxKeys). So the first sender that can go on is found without a look at
// those that cannot. The owner's lock guards it.
type keyedLine[K comparable, T any] struct {
	wantRoom keyHeap[K, T]
	wantKey  keyHeap[K, T]
	n        int    // senders that wait
	came     uint64 // senders that have ever waited
}

func (l *keyedLine[K, T]) init() { l.wantRoom, l.wantKey = byWaiter[K, T](), byWaiter[K, T]() }

// len returns how many senders wait.
func (l *keyedLine[K, T]) len() int { return l.n }

// add puts w behind all others of its key, s.
func (l *keyedLine[K, T]) add(s *keyState[K, T], w *waiter[keyedItem[K, T]]) {
	l.came++
	l.n++
	w.one[0].nth = l.came
	s.waiters.push(w)
	l.rank(s)
}

// remove takes w, which is one of those of s, out.
func (l *keyedLine[K, T]) remove(s *keyState[K, T], w *waiter[keyedItem[K, T]]) {
	l.unrank(s) // w may be the one that s is ranked by
	l.n--
	s.waiters.remove(w)
	l.rank(s)
}

// pop takes the first sender of s out. There is one.
func (l *keyedLine[K, T]) pop(s *keyState[K, T]) *waiter[keyedItem[K, T]] {
	w := s.waiters.first()
	l.remove(s, w)
	return w
}

// rank follows a change of whether s is busy.
func (l *keyedLine[K, T]) rank(s *keyState[K, T]) {
	l.unrank(s)
	switch {
	case !s.waiters.any():
	case s.busy():
		l.wantRoom.push(s)
	default:
		l.wantKey.push(s)
	}
}

func (l *keyedLine[K, T]) unrank(s *keyState[K, T]) {
	if s.waitAt == 0 {
		return
	}
	if i := s.waitAt - 1; i < l.wantRoom.len() && l.wantRoom.all[i] == s {
		l.wantRoom.remove(s)
	} else {
		l.wantKey.remove(s)
	}
}

// next returns the key of the sender that came first of those that could go on if there
// were room for their items, or nil. Those that need one more busy key can if there is
// room for one.
func (l *keyedLine[K, T]) next(keyRoom bool) *keyState[K, T] {
	s := l.wantRoom.top()
	if t := l.wantKey.top(); keyRoom && t != nil && (s == nil || arrival(t) < arrival(s)) {
		return t
	}
	return s
}

// arrival returns the number of the first sender of s, in the order in which all came.
func arrival[K comparable, T any](s *keyState[K, T]) uint64 { return s.waiters.first().one[0].nth }
