package locks

// Readers that must wait sleep in a queue of their own, by the rule of
// sync.RWMutex: the goroutine that opens the lock lets in all of them at once, and the
// next writer waits until they have left. So a reader waits for one writer, and a
// writer for the readers that came before its turn.

// joinReaders adds w to the readers that sleep. It reports false if the lock is
// open.
//
//go:norace
func (rw *RWMutex) joinReaders(x *rwExt, w *waiter) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		s := rw.load()
		if s&closed == 0 {
			return false
		}
		if s&readersAsleep != 0 || rw.cas(s, s|readersAsleep) {
			break
		}
	}
	x.readers.pushBack(w)
	x.readParked.Add(1)
	return true
}

// leaveReaders ends the wait of w without the lock, even if that has just been
// given to it.
//
//go:norace
func (rw *RWMutex) leaveReaders(x *rwExt, w *waiter) {
	x.canceled.Add(1)
	x.mu.Lock()
	letIn := w.granted
	if !letIn {
		x.readers.remove(w)
		if x.readers.n == 0 {
			rw.and(^readersAsleep)
		}
	}
	x.mu.Unlock()
	if letIn {
		rw.leave(x)
	}
}

// letIn lets in all readers that sleep. The caller has opened the lock, or has
// claimed wLock (then claimed is true) and not yet drained. If another writer has
// claimed it since the caller opened it, that one will let them in.
//
//go:norace
func (rw *RWMutex) letIn(x *rwExt, claimed bool) {
	x.mu.Lock()
	for {
		s := rw.load()
		if s&readersAsleep == 0 || !claimed && s&closed != 0 {
			x.mu.Unlock()
			return
		}
		n := s&^readersAsleep + uint64(x.readers.n)*oneReader
		if n&activeFull != 0 {
			fatal(errReaders)
		}
		if rw.cas(s, n) {
			break
		}
	}
	w := x.readers.takeAll()
	x.mu.Unlock()
	for w != nil {
		next := w.next // w is its owner's again when it has its signal
		w.signal()
		w = next
	}
}

// opened lets the sleeping readers in and wakes the next writer. The goroutine that has
// opened the lock calls it.
//
//go:norace
func (rw *RWMutex) opened(x *rwExt) {
	if rw.load()&readersAsleep != 0 {
		rw.letIn(x, false)
	}
	x.wakeNext(rw.gate())
}
