package batchchan

import "github.com/stretchr/testify/require"

// validate compares an engine's counts with what is really there. inProcessor is how
// many batches are with workers or receivers: known where nothing moves.
func (g *engine[T]) validate(t require.TestingT, inProcessor int) {
	var e effects[T]
	g.mu.lock()
	defer g.mu.unlock()
	g.core.settle(&e)
	require.Equal(t, effects[T]{}, e, "nothing is left to do while nothing moves")

	items, bytes, batches, gone := 0, 0, 0, 0
	count := func(s []T) {
		for _, item := range s {
			if g.core.backlog.leaves != nil && g.core.backlog.leaves(item) {
				gone++
			}
		}
	}
	for b := g.core.backlog.ready.head; b != nil; b = b.next {
		items += len(b.items) - b.off
		bytes += sum(b.sizes[min(b.off, len(b.sizes)):])
		batches += g.core.backlog.batchesIn(b)
		count(b.items[b.off:])
	}
	inRun := 0
	if b := g.core.run; b != nil {
		inRun = len(b.whole) - b.settled
		batches += (inRun + g.core.maxBatch - 1) / g.core.maxBatch
	}
	count(g.core.backlog.buf)
	require.Equal(t, items+inRun, g.core.backlog.readyItems, "readyItems")
	require.Equal(t, bytes, g.core.backlog.readyBytes, "readyBytes")
	require.Equal(t, sum(g.core.backlog.sizes), g.core.backlog.bytes, "bufBytes")
	require.Equal(t, gone, g.core.backlog.gone, "gone")
	require.Equal(t, inProcessor, g.core.inFlight, "inFlight")
	require.Equal(t, batches+inProcessor, g.core.outstanding, "outstanding")
	if inProcessor == 0 {
		require.Zero(t, g.core.inFlightN, "inFlightN")
		require.Empty(t, g.core.later.heap, "aside")
		if g.aside != nil {
			require.Zero(t, g.aside.n.Load(), "places aside")
		}
	}
	reserved := 0
	for _, l := range g.core.lanes {
		reserved += l.quota
	}
	require.Equal(t, reserved, g.core.reserved, "reserved")
	require.LessOrEqual(t, g.core.backlog.pending()+g.core.reserved, g.cfg.MaxPending)
	if g.cfg.MaxPendingBytes > 0 {
		require.LessOrEqual(t, g.core.backlog.pendingBytes(), g.cfg.MaxPendingBytes)
	}
	if g.core.waiters.any() {
		require.False(t, g.core.fits(1, g.core.waiters.first().size), "room, and a sender that waits for it")
	}
	room := g.core.backlog.room
	g.core.setRoom()
	require.Equal(t, room, g.core.backlog.room, "room")
	for _, f := range g.core.barriers.all {
		require.Positive(t, f.left)
	}
	var zero T
	for _, b := range g.core.backlog.free {
		for _, item := range b.items[:cap(b.items)] {
			require.Equal(t, any(zero), any(item), "what is free holds nothing")
		}
	}
	n := g.core.n
	accepted := n.cut + n.direct + uint64(len(g.core.backlog.buf))
	require.Equal(t, accepted, n.delivered+n.droppedNew+n.droppedOld+n.undelivered+n.cancelled+uint64(g.core.backlog.pending()), "%+v", n)
	require.Equal(t, n.delivered, n.succeeded+n.failed+uint64(g.core.inFlightN), "%+v", n)
}

// validate compares a keyed's counts with what is really there.
func (k *keyed[K, T]) validate(t require.TestingT, inProcessor int) {
	k.mu.lock()
	defer k.mu.unlock()
	items, bytes, segs, busy, running, waiting, stopped, ready, heap, idle, want := 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
	keys := 0
	for s := range k.core.keys.all.All() {
		keys++
		require.Same(t, s, k.core.keys.get(s.key))
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
			h := &k.core.line.wantKey
			if s.busy() {
				h = &k.core.line.wantRoom
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
			require.Same(t, s, k.core.waits.all[s.heapAt-1])
		}
		if s.segs.len() > 0 && !s.running {
			require.True(t, s.list == inReady || s.heapAt > 0, "what waits is somewhere")
			require.False(t, s.list == inReady && s.heapAt > 0)
		}
		require.True(t, s.busy() || s.stopped || s.list == inIdle || s.waiters.any(), "a key is kept for a reason")
	}
	require.Equal(t, keys, k.core.keys.len(), "keys")
	require.Equal(t, items, k.core.pending, "pending")
	require.Equal(t, bytes, k.core.pendingSize, "pendingSize")
	require.Equal(t, busy, k.core.busyKeys, "busyKeys")
	require.Equal(t, stopped, k.core.stoppedKeys, "stoppedKeys")
	require.Equal(t, running, inProcessor, "running")
	require.Equal(t, inProcessor, k.core.inFlightB, "inFlightB")
	require.Equal(t, segs+inProcessor, k.core.outstanding, "outstanding")
	require.Equal(t, ready, k.core.ready.len())
	require.Equal(t, idle, k.core.idleKeys.len())
	require.Equal(t, heap, k.core.waits.len())
	require.Equal(t, want, k.core.line.wantKey.len()+k.core.line.wantRoom.len())
	require.Equal(t, waiting, k.core.line.len(), "waiting")
	if inProcessor == 0 {
		require.Zero(t, k.core.inFlight)
	}
	if k.core.maxKeys > 0 {
		require.LessOrEqual(t, k.core.busyKeys+k.core.idleKeys.len(), k.core.maxKeys)
	}
	require.LessOrEqual(t, k.core.pending, k.cfg.MaxPending)
	if s := k.core.nextSender(); s != nil {
		require.False(t, k.core.room(s.waiters.first().one[0].size, !s.busy()), "room, and a sender that waits for it")
	}
	n := k.core.n
	require.Equal(t, k.core.accepted+n.direct, n.delivered+n.droppedNew+n.undelivered+uint64(k.core.pending), "%+v", n)
	require.Equal(t, n.delivered, n.succeeded+n.failed+uint64(k.core.inFlight), "%+v", n)
}
