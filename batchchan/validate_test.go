package batchchan

import "github.com/stretchr/testify/require"

// validate compares a core's counts with what is really there. inProcessor is how
// many batches are with workers or receivers: known where nothing moves.
func (c *core[T]) validate(t require.TestingT, inProcessor int) {
	var e effects[T]
	c.mu.lock()
	defer c.mu.unlock()
	c.settleLocked(&e)
	require.Equal(t, effects[T]{}, e, "nothing is left to do while nothing moves")

	items, bytes, batches, gone := 0, 0, 0, 0
	count := func(s []T) {
		for _, item := range s {
			if c.backlog.leaves != nil && c.backlog.leaves(item) {
				gone++
			}
		}
	}
	for b := c.backlog.ready.head; b != nil; b = b.next {
		items += len(b.items) - b.off
		bytes += sum(b.sizes[min(b.off, len(b.sizes)):])
		batches += c.backlog.batchesIn(b)
		count(b.items[b.off:])
	}
	inRun := 0
	if b := c.run; b != nil {
		inRun = len(b.whole) - b.settled
		batches += (inRun + c.maxBatch - 1) / c.maxBatch
	}
	count(c.backlog.buf)
	require.Equal(t, items+inRun, c.backlog.readyItems, "readyItems")
	require.Equal(t, bytes, c.backlog.readyBytes, "readyBytes")
	require.Equal(t, sum(c.backlog.sizes), c.backlog.bytes, "bufBytes")
	require.Equal(t, gone, c.backlog.gone, "gone")
	require.Equal(t, inProcessor, c.inFlight, "inFlight")
	require.Equal(t, batches+inProcessor, c.outstanding, "outstanding")
	if inProcessor == 0 {
		require.Zero(t, c.inFlightN, "inFlightN")
		require.Empty(t, c.later.heap, "aside")
		if c.aside != nil {
			require.Zero(t, c.aside.n.Load(), "places aside")
		}
	}
	reserved := 0
	for _, l := range c.lanes {
		reserved += l.quota
	}
	require.Equal(t, reserved, c.reserved, "reserved")
	require.LessOrEqual(t, c.backlog.pending()+c.reserved, c.cfg.MaxPending)
	if c.cfg.MaxPendingBytes > 0 {
		require.LessOrEqual(t, c.backlog.pendingBytes(), c.cfg.MaxPendingBytes)
	}
	if c.waiters.any() {
		require.False(t, c.fitsLocked(1, c.waiters.first().size), "room, and a sender that waits for it")
	}
	room := c.backlog.room
	c.roomLocked()
	require.Equal(t, room, c.backlog.room, "room")
	for _, f := range c.barriers.all {
		require.Positive(t, f.left)
	}
	var zero T
	for _, b := range c.backlog.free {
		for _, item := range b.items[:cap(b.items)] {
			require.Equal(t, any(zero), any(item), "what is free holds nothing")
		}
	}
	n := c.n
	accepted := n.cut + n.direct + uint64(len(c.backlog.buf))
	require.Equal(t, accepted, n.delivered+n.droppedNew+n.droppedOld+n.undelivered+n.cancelled+uint64(c.backlog.pending()), "%+v", n)
	require.Equal(t, n.delivered, n.succeeded+n.failed+uint64(c.inFlightN), "%+v", n)
}

// validate compares a keyed's counts with what is really there.
func (k *keyed[K, T]) validate(t require.TestingT, inProcessor int) {
	k.mu.lock()
	defer k.mu.unlock()
	items, bytes, segs, busy, running, waiting, stopped, ready, heap, idle, want := 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	keys := 0
	for s := range k.keys.all.All() {
		keys++
		require.Same(t, s, k.keys.get(s.key))
		n := 0
		for i, seg := range s.segs.all[s.segs.off:] {
			n += seg.n
			bytes += seg.bytes
			require.Positive(t, seg.n)
			require.LessOrEqual(t, seg.n, k.cfg.MaxBatch)
			if k.cfg.MaxBytes > 0 {
				require.LessOrEqual(t, seg.bytes, k.cfg.MaxBytes)
			}
			if i+1 < s.segs.len() && k.cfg.MaxBytes == 0 {
				require.Equal(t, k.cfg.MaxBatch, seg.n, "one that is not the last is full")
			}
		}
		require.Equal(t, n, s.buf.len())
		items += n
		segs += s.segs.len()
		if s.busy() {
			busy++
		}
		if s.running {
			running++
		}
		if s.stopped {
			stopped++
			require.Zero(t, s.segs.len())
		}
		for w := range s.waiters.list.All() {
			waiting++
			require.Same(t, s, w.one[0].s)
		}
		if s.waiters.any() {
			want++
			require.Positive(t, s.waitAt)
			h := &k.line.wantKey
			if s.busy() {
				h = &k.line.wantRoom
			}
			require.Same(t, s, h.all[s.waitAt-1])
		} else {
			require.Zero(t, s.waitAt)
		}
		switch s.list {
		case inReady:
			ready++
		case inIdle:
			idle++
			require.False(t, s.busy())
		}
		if s.heapAt > 0 {
			heap++
			require.Same(t, s, k.waits.all[s.heapAt-1])
		}
		if s.segs.len() > 0 && !s.running {
			require.True(t, s.list == inReady || s.heapAt > 0, "what waits is somewhere")
			require.False(t, s.list == inReady && s.heapAt > 0)
		}
		require.True(t, s.busy() || s.stopped || s.list == inIdle || s.waiters.any(), "a key is kept for a reason")
	}
	require.Equal(t, keys, k.keys.len(), "keys")
	require.Equal(t, items, k.pending, "pending")
	require.Equal(t, bytes, k.pendingSize, "pendingSize")
	require.Equal(t, busy, k.busyKeys, "busyKeys")
	require.Equal(t, stopped, k.stoppedKeys, "stoppedKeys")
	require.Equal(t, running, inProcessor, "running")
	require.Equal(t, inProcessor, k.inFlightB, "inFlightB")
	require.Equal(t, segs+inProcessor, k.outstanding, "outstanding")
	require.Equal(t, ready, k.ready.len())
	require.Equal(t, idle, k.idleKeys.len())
	require.Equal(t, heap, k.waits.len())
	require.Equal(t, want, k.line.wantKey.len()+k.line.wantRoom.len())
	require.Equal(t, waiting, k.line.len(), "waiting")
	if inProcessor == 0 {
		require.Zero(t, k.inFlight)
	}
	if k.maxKeys > 0 {
		require.LessOrEqual(t, k.busyKeys+k.idleKeys.len(), k.maxKeys)
	}
	require.LessOrEqual(t, k.pending, k.cfg.MaxPending)
	if s := k.nextLocked(); s != nil {
		require.False(t, k.roomLocked(s.waiters.first().one[0].size, !s.busy()), "room, and a sender that waits for it")
	}
	n := k.n
	require.Equal(t, k.accepted+n.direct, n.delivered+n.droppedNew+n.undelivered+uint64(k.pending), "%+v", n)
	require.Equal(t, n.delivered, n.succeeded+n.failed+uint64(k.inFlight), "%+v", n)
}
