package lockfree

// mutant is one wrong line that the tests must catch. The code old is found by its
// tokens: it may be laid out in another way, and have comments.
type mutant struct {
	name, file, old, new string
	quick                bool // applied in the usual run too
}

var mutants = []mutant{
	{
		"cut tail not recovered from head", "mslist.go",
		"case t:\n\t\t\tq.tail.CompareAndSwap(t, q.head.Load())\n\t\tdefault:\n\t\t\tstep(msHelping)", "default:\n\t\t\tstep(msHelping)", false,
	},
	{
		"dequeued value not cleared", "mslist.go",
		"v = next.val\n\t\tif q.peekers.in.Load() != 0 {\n\t\t\tq.peekers.keep(next, (*msNode[T]).clear)\n\t\t} else {\n\t\t\tnext.clear()\n\t\t}", "v = next.val", false,
	},
	{
		"dead nodes not cut", "msnodes.go",
		"if !neighbours || h.seq%cutEvery == 0 {", "if false && neighbours {", false,
	},
	{
		"nodes of other chunks not cut off", "msnodes.go",
		"if !neighbours || h.seq%cutEvery == 0 {", "if h.seq%cutEvery == 0 || false && neighbours {", false,
	},
	{
		"neighbours never cut", "msnodes.go",
		"if !neighbours || h.seq%cutEvery == 0 {", "if !neighbours {", false,
	},
	{
		"no gap behind a chunk", "msnodes.go",
		"make([]msNode[T], n+1)[:n]", "make([]msNode[T], n)", false,
	},
	{
		"refused value kept", "msnodes.go",
		"var zero T\n\t\tn.val = zero", "_ = n.val", false,
	},
	{
		"node handed out twice", "msnodes.go",
		"(*perP)[p].free = chunk[1:]", "(*perP)[p].free = chunk", false,
	},
	{
		"Len of two moments", "mslist.go",
		"if q.head.Load() == h {", "if true {", false,
	},
	{
		"lost race reported as empty (list)", "mslist.go",
		"q.deqGov.lostRun(h.seq*one, 1, lost)\n\t\t\tlost++\n\t\t\tcontinue\n\t\t}\n\t\tstep(msTook)\n\t\tv =", "_ = lost\n\t\t\treturn v, false\n\t\t}\n\t\tstep(msTook)\n\t\tv =", false,
	},
	{
		"enqueue after Close (list)", "mslist.go",
		"case &q.end:\n\t\t\treturn ErrClosed", "case &q.end:\n\t\t\treturn nil", false,
	},

	{
		"lost race reported as empty (ring)", "list.go",
		"l.deqGov.lostRun(h, 1, lost)\n\t\t\tlost++\n\t\t\tcontinue", "_ = lost\n\t\t\treturn v, false", true,
	},
	{
		"empty without looking at tail", "list.go",
		"if t&^flags == h {\n\t\tif t&flags == sealed {", "if t&^flags == h || r.inhabited(h, 1) == 0 {\n\t\tif t&flags == sealed {", false,
	},
	{
		"sealed and drained taken for empty", "list.go",
		"return l.retire(r)\n\t\t}\n\t\treturn true", "l.retire(r)\n\t\t}\n\t\treturn true", false,
	},
	{
		"stalled producer waited for", "ring.go",
		"if i < patience {", "if true {", false,
	},
	{
		"stalled consumer not passed over", "ring.go",
		"g.CompareAndSwap(w, uint64(stamp[T](t))<<32|held(w, shift)*dead)", "if held(w, shift) == 0 {\n\t\tg.CompareAndSwap(w, uint64(stamp[T](t))<<32)\n\t}", false,
	},
	{
		"dead slot used again at once", "ring.go",
		"uint64(stamp[T](t))<<32|held(w, shift)*dead)", "uint64(stamp[T](t))<<32)", false,
	},
	{
		"group taken back to an earlier lap", "ring.go",
		"if now>>32 != w>>32 {", "if uint32(now>>32) == stamp[T](t) {", false,
	},
	{
		"group renewed before head has passed it", "ring.go",
		"if int64(r.head.Load()-last) < 0 {", "if int64(r.head.Load()-last) < -one {", false,
	},
	{
		"group renewed by a consumer before head has passed it", "ring.go",
		"if last/one&(1<<shift-1) == 1<<shift-1 && uint32(w)", "if uint32(w)", false,
	},
	{
		"group renewed by a consumer beside others", "ring.go",
		"&& uint32(w) == free*odd&(1<<(2<<shift)-1) {", "{", false,
	},
	{
		"ring never full", "ring.go",
		"if int64(r.head.Load()-last) < 0 {\n\t\treturn false", "if int64(r.head.Load()-last) < 0 {\n\t\treturn true", false,
	},
	{
		"group of an earlier lap taken for full", "list.go",
		"if w&(full<<p) != 0 && w&(dead<<p) == 0 && uint32(w>>32) == stampOf(h, shift) {", "if w&(full<<p) != 0 && w&(dead<<p) == 0 {", false,
	},
	{
		"group of an earlier lap taken for ready", "run.go",
		"if uint32(w>>32) != stamp[T](t) {\n\t\t\tif behind", "if false {\n\t\t\tif behind", false,
	},
	{
		"sealed ring gives tickets", "list.go",
		"r.tail.CompareAndSwap(t, t|sealed)", "r.tail.CompareAndSwap(t, t+one)", false,
	},
	{
		"head passes a ticket that was not given", "list.go",
		"if t&^flags == h {\n\t\tif t&flags == sealed {", "if t&^flags == h && r.word(h).Load()>>32 == stamp[T](h) {\n\t\tif t&flags == sealed {", false,
	},
	{
		"tail left on a retired ring", "list.go",
		"l.tail.CompareAndSwap(r, next)\n\tstep(deqHelped)", "step(deqHelped)", false,
	},
	{
		"retired ring not cut", "list.go",
		"r.next.Store(r)", "_ = r", false,
	},
	{
		"retired ring cut with nil", "list.go",
		"r.next.Store(r)", "r.next.Store(nil)", false,
	},
	{
		"append without compare", "list.go",
		"if !r.next.CompareAndSwap(nil, next) {\n\t\treturn false\n\t}", "r.next.Store(next)", false,
	},
	{
		"closed set on a sealed ring", "close.go",
		"case t&sealed != 0:\n\t\t\t// The next", "case false:\n\t\t\t// The next", false,
	},
	{
		"Close wakes nobody", "close.go",
		"step(closed)\n\t\tl.notEmpty.wakeAll()", "step(closed)", false,
	},
	{
		"barred counted by those who did not bar", "list.go",
		"case slotBarred:\n\t\tl.barred.Add(1)\n\t\tfallthrough", "case slotBarred:\n\t\tfallthrough", false,
	},

	{
		"owner's slot empty again", "ring.go",
		"r.word(t).Or(free << place[T](t))", "r.word(t).And(^uint64(state << place[T](t)))", false,
	},
	{
		"barred producer does not leave", "ring.go",
		"step(enqBarred)\n\tr.leave(t)", "step(enqBarred)", false,
	},
	{
		"barred value kept", "ring.go",
		"var zero T\n\t*r.val(t) = zero\n\tstep(enqBarred)", "step(enqBarred)", false,
	},
	{
		"published though passed over", "ring.go",
		"if w>>p&state != empty {\n\t\t\tbreak\n\t\t}\n\t\tif g.CompareAndSwap(w, w|full<<p) {", "if g.CompareAndSwap(w, w&^(state<<p)|full<<p) {", false,
	},
	{
		"published without compare", "list.go",
		"if g.CompareAndSwap(w, w|full<<p) || r.publish(t) {", "if g.Store(w | full<<p); r != nil {", false,
	},
	{
		"left without compare", "list.go",
		"g.Or(free << p)", "g.Store(w | free<<p)", false,
	},
	{
		"free slot taken for a full one", "list.go",
		"if w&(full<<p) != 0 && w&(dead<<p) == 0 &&", "if w&(full<<p) != 0 &&", false,
	},
	{
		"group not renewed by who frees its last slot", "list.go",
		"if p != placeOf(^uint64(0), shift) {", "if true {", false,
	},
	{
		"value read after the slot is left", "ring.go",
		"step(deqRead)\n\tr.leave(h)\n\treturn v", "r.leave(h)\n\tstep(deqRead)\n\treturn *p", false,
	},
	{
		"taken value kept", "ring.go",
		"var zero T\n\t*p = zero\n\tstep(deqRead)", "step(deqRead)", false,
	},
	{
		"taken value kept on the fast path", "list.go",
		"var zero T\n\t\t\t\t\t*val = zero", "_ = val", false,
	},
	{
		"values of a batch kept", "run.go",
		"clear(vals)", "_ = vals", false,
	},

	{
		"batch goes on after a barred value", "run.go",
		"if !r.publish(t) {\n\t\t\t\t\treturn n\n\t\t\t\t}", "r.publish(t)", false,
	},
	{
		"batch publishes over a barred value", "run.go",
		"if w&(ones*state) != 0 {\n\t\t\treturn false\n\t\t}", "", false,
	},
	{
		"withdrawn tickets not counted", "run.go",
		"if r.word(t).Or(free<<p)>>p&state == empty {", "if r.word(t).Or(free<<p) == 0 {", false,
	},
	{
		"withdrawn tickets left empty", "batch.go",
		"l.barred.Add(r.withdraw(t+uint64(put+1)*one, t+uint64(len(vs))*one))", "_ = put", false,
	},
	{
		"small batch takes slots that are not ready", "batch.go",
		"if w&(ones*state) != 0 || uint32(w>>32)", "if w&(ones&-ones*state) != 0 || uint32(w>>32)", false,
	},
	{
		"small batch into a group of an earlier lap", "batch.go",
		"if w&(ones*state) != 0 || uint32(w>>32) != stampOf(t, shift) ||", "if w&(ones*state) != 0 ||", false,
	},
	{
		"small batch beyond the limit", "batch.go",
		"int64(l.limit.until.Load()-t) < int64(n*one) {", "int64(l.limit.until.Load()-t) < one {", false,
	},
	{
		"small batch beyond its group", "batch.go",
		"if t&flags != 0 || p+2*n > 2<<shift {", "if t&flags != 0 {", false,
	},
	{
		"small batch into a sealed ring", "batch.go",
		"if t&flags != 0 || p+2*n > 2<<shift {", "if p+2*n > 2<<shift {", false,
	},
	{
		"small batch not published when neighbours moved", "batch.go",
		"put = l.putTaken(r, t, vs)", "put += 0", false,
	},
	{
		"small batch takes slots that are not full", "batch.go",
		"if w&(ones*state) != full*ones ||", "if w&(ones&-ones*state) != full*(ones&-ones) ||", false,
	},
	{
		"small batch of an earlier lap taken for full", "batch.go",
		"if w&(ones*state) != full*ones || uint32(w>>32) != stampOf(h, shift) {", "if w&(ones*state) != full*ones {", false,
	},
	{
		"small batch does not leave when neighbours moved", "batch.go",
		"r.leaveRun(h, len(buf))", "_ = h", false,
	},
	{
		"small batch cleared beside a peeker", "batch.go",
		"if r.peekers.in.Load() != 0 {", "if false {", false,
	},
	{
		"values of a small batch kept", "batch.go",
		"clear(vals)", "_ = vals", false,
	},
	{
		"batch takes slots that are not ready", "run.go",
		"if not := w & (states[T](t, k) * state); not != 0 {", "if not := w & (states[T](t, 1) * state); not != 0 {", false,
	},
	{
		"batch takes slots that are not full", "run.go",
		"if not := (w ^ full*odd) & (states[T](h, k) * state); not != 0 {", "if not := (w ^ full*odd) & (states[T](h, 1) * state); not != 0 {", false,
	},

	{
		"peeker joins after it has read head", "peek.go",
		"r.peekers.join()\n\t\tstep(peekJoined)\n\t\th := r.head.Load()", "h := r.head.Load()\n\t\tstep(peekJoined)\n\t\tr.peekers.join()", false,
	},
	{
		"peeked value cleared by who takes it", "ring.go",
		"if r.peekers.in.Load() != 0 {\n\t\tr.keep(h)\n\t\treturn v\n\t}", "", false,
	},
	{
		"kept place not looked for by who put it there", "peek.go",
		"if p.in.Load() == 0 { // they may not have seen it", "if false {", false,
	},
	{
		"kept places freed while others read", "peek.go",
		"} else if kept != nil {\n\t\t\tp.push(kept)", "} else {\n\t\t\tfor ; kept != nil; kept = kept.next {\n\t\t\t\tfree(kept.place)\n\t\t\t}", false,
	},

	{
		"oldest dropped though there is room by now", "overwrite.go",
		"if live <= l.capacity {", "if false {", false,
	},
	{
		"nothing dropped", "overwrite.go",
		"if int64(h+l.capacity-end) >= 0 {", "if true {", false,
	},
	{
		"closed before a full queue has dropped", "overwrite.go",
		"if l.capacity != 0 {", "if false {", false,
	},
	{
		"dropped without looking at head again", "overwrite.go",
		"if r.head.CompareAndSwap(h, h+one) {\n\t\t\tl.highWater.note", "if h = r.head.Load(); r.head.CompareAndSwap(h, h+one) {\n\t\t\tl.highWater.note", false,
	},

	{
		"limit one too many", "limit.go",
		"until := h + l.capacity", "until := h + l.capacity + one", false,
	},
	{
		"tickets compared as if they never wrapped", "limit.go",
		"if n := int64(l.limit.until.Load() - t); n > 0 {\n\t\treturn n / one", "if u := l.limit.until.Load(); u > t {\n\t\treturn int64(u-t) / one", false,
	},
	{
		"stalled producers counted as values", "limit.go",
		"case slotBarred:\n\t\t\t\tl.barred.Add(1)", "case slotBarred:\n\t\t\t\tlive += one", false,
	},
	{
		"counted again and again", "limit.go",
		"l.limit.counted.Store(t)", "_ = t", false,
	},
	{
		"counted though some were dead", "limit.go",
		"if live == t-h {", "if true {", false,
	},

	{
		"Drain takes more than it yields", "wait.go",
		"if !ok || !yield(v) {", "if !ok || func() bool { defer try(); return !yield(v) }() {", false,
	},
	{
		"no second look after registering", "waiters.go",
		"step(waitJoined)\n\t\tif try() {", "step(waitJoined)\n\t\tif false && try() {", false,
	},
	{
		"claimed before signalled", "waiters.go",
		"step(wakeOne)\n\t\tc <- struct{}{}\n\t\tstep(wakeSent)\n\t\tw.settle()", "w.unclaimed.Add(-1)\n\t\tstep(wakeOne)\n\t\tc <- struct{}{}\n\t\tstep(wakeSent)", false,
	},
	{
		"signal of a cancelled waiter lost", "waiters.go",
		"step(waitWoken)\n\t\tif err := ctxerr.From(ctx); err != nil {\n\t\t\tw.wake(1)", "step(waitWoken)\n\t\tif err := ctxerr.From(ctx); err != nil {", false,
	},
	{
		"one signal for a batch", "waiters.go",
		"; n > 0 && w.unclaimed.Load() > 0; n--", "; n > 0 && w.unclaimed.Load() > 0; n = 0", false,
	},
	{
		"success not passed on", "waiters.go",
		"if w.unclaimed.Load() > 0 && more() {", "if false && more() {", false,
	},
	{
		"signal that nobody claims not taken back", "waiters.go",
		"step(wakeSent)\n\t\tw.settle()", "step(wakeSent)\n\t\tif w.unclaimed.Load() > 0 {\n\t\t\tw.settle()\n\t\t}", false,
	},
	{
		"token taken back though a waiter is unclaimed", "waiters.go",
		"if n > 0 {\n\t\t\tif w.unclaimed.CompareAndSwap(n, n-1) {", "if n > 1 {\n\t\t\tif w.unclaimed.CompareAndSwap(n, n-1) {", false,
	},
	{
		"cancelled waiter stays counted", "waiters.go",
		"case <-done:\n\t\t\tw.settle()", "case <-done:", false,
	},
}
