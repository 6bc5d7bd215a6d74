package workerpool

// idlers is the stack of a pool's sleeping workers. The pool's mutex guards it.
type idlers[T any] struct {
	stack []*worker[T]
	low   int // how many have slept since mark
}

func (s *idlers[T]) len() int { return len(s.stack) }

func (s *idlers[T]) push(w *worker[T]) { s.stack = append(s.stack, w) }

// pop takes the worker that has slept the shortest: its goroutine's memory is the
// warmest, and those that are not needed stay at the bottom. There must be one.
func (s *idlers[T]) pop() *worker[T] {
	n := len(s.stack) - 1
	w := s.stack[n]
	s.stack[n] = nil
	s.stack = s.stack[:n]
	s.low = min(s.low, n)
	return w
}

// mark begins a period: low then is how many workers sleep all through it.
func (s *idlers[T]) mark() { s.low = len(s.stack) }

// end takes the k workers out that have slept the longest, and ends them.
func (s *idlers[T]) end(k int) {
	for i, w := range s.stack[:k] {
		w.wake <- false // never blocks: capacity 1, and w was not woken
		s.stack[i] = nil
	}
	s.stack = append(s.stack[:0], s.stack[k:]...)
	clear(s.stack[len(s.stack):cap(s.stack)])
	s.low = max(s.low-k, 0)
}
