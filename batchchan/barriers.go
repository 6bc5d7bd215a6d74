package batchchan

// barriers are the unfinished Flush calls of a buffer, in the order of their targets.
// Each batch has a number, counted up from 1 as batches are opened; a barrier waits
// until all batches up to its target have ended. The owner's lock guards it.
type barriers struct{ all []*barrier }

// barrier is what callers of Flush wait for. Those that come between two batches
// share one.
type barrier struct {
	target uint64
	left   int           // batches up to target that have not ended
	done   chan struct{} // closed when left is 0, or err is set
	err    error         // set before done is closed
	next   *barrier      // in effects
}

// waiting says whether there is a barrier.
func (s *barriers) waiting() bool { return len(s.all) > 0 }

// add returns the barrier for that target, which left batches keep from passing, and
// whether it is new. No target is below an earlier one.
func (s *barriers) add(target uint64, left int) (b *barrier, isNew bool) {
	if n := len(s.all); n > 0 && s.all[n-1].target == target {
		return s.all[n-1], false
	}
	b = &barrier{target: target, left: left, done: make(chan struct{})}
	s.all = append(s.all, b)
	return b, true
}

// pass follows the end of the batch with that number. It puts the barriers that have
// nothing left to wait for before list and returns it.
func (s *barriers) pass(seq uint64, list *barrier) *barrier {
	if len(s.all) == 0 {
		return list
	}
	return s.passSlow(seq, list)
}

func (s *barriers) passSlow(seq uint64, list *barrier) *barrier {
	kept := s.all[:0]
	for _, b := range s.all {
		if seq <= b.target {
			b.left--
		}
		if b.left > 0 {
			kept = append(kept, b)
			continue
		}
		b.next, list = list, b
	}
	clear(s.all[len(kept):])
	s.all = kept
	return list
}

// fail ends all barriers with err. It puts them before list and returns it.
func (s *barriers) fail(err error, list *barrier) *barrier {
	for _, b := range s.all {
		b.err = err
		b.next, list = list, b
	}
	clear(s.all)
	s.all = s.all[:0]
	return list
}
