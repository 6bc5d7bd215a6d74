package objpool

import (
	"runtime"
	"slices"

	"github.com/poundlock/poundlock/internal/rt"
)

// A P earns a magazine by coming to the central stack minEarn times. Until then it
// works there, so a pool that is little used keeps everything in one place, where
// each Get finds what is retained and each Put finds the room there is.
//
// In the end both find it anyway: a Get that would miss while magazines hold
// objects, and a Put that would be refused while they have room, gather everything
// back (see gather). Each gather that came too soon after the one before doubles the
// price of a magazine, up to maxEarn: a pool whose objects are taken on one P and
// put on another ends up working centrally.
const (
	minEarn = 64
	maxEarn = 1 << 16

	// visitsPerLook is how many visits to a pool without magazines there are for each
	// one that looks whether its P has earned one. The others need no P, and cost
	// little more than a slice under a mutex.
	visitsPerLook = 8

	// soon is how many pops must lie between two gathers for the magazines to be
	// worth them: about 20 times what stopping the world costs.
	soon = 1 << 16
)

func (p *Pool[T]) initCentral() {
	p.earnNeed = minEarn
	p.setMax(p.max)
}

// setMax changes the bound; all objects are central.
func (p *Pool[T]) setMax(n int) {
	p.max = n
	procs := runtime.GOMAXPROCS(0)
	p.magCap = min(magSize, n/(2*procs))
	if p.magCap == 0 && n >= procs {
		p.magCap = 1
	}
	if p.cfg.Size != nil {
		p.magCap = 0 // magazines do not account bytes
	}
}

// room returns how many objects the central stack may take.
func (p *Pool[T]) room() int {
	return p.max - p.granted - p.reserved - len(p.items)
}

// express reports whether a visit may work on the central stack alone: no magazine
// is granted, and it is not this visit's turn to look.
func (p *Pool[T]) express() bool {
	if p.granted != 0 || p.earnNeed < minEarn {
		return false
	}
	p.visits++
	return p.visits%visitsPerLook != 0
}

// prepare allocates what a visit may need, before it is pinned.
func (p *Pool[T]) prepare() {
	if p.cfg.New == nil {
		p.mu.Unlock()
		panic("objpool: use of a Pool that was not made by New")
	}
	if p.spare == nil && p.magCap > 0 && p.stripes == nil {
		p.spare = new(magazine[T])
	}
	if cap(p.items)-len(p.items) <= magSize {
		p.items = slices.Grow(p.items, magSize+1)
	}
}

// grant gives magazine i a capacity of n if it is due for one. It returns the
// magazine, which is p.none if it was not granted and has none.
func (p *Pool[T]) grant(m *magazine[T], i, n int) *magazine[T] {
	if i < 0 || p.magCap == 0 || p.closed {
		return m
	}
	if p.earned[i] += visitsPerLook; p.earned[i] < p.earnNeed {
		return m
	}
	if m == p.none {
		m, p.spare = p.spare, nil
		p.own[i] = m
	}
	if p.stripes == nil {
		p.mags[i].Store(m)
	}
	m.capacity = uint64(n)
	if p.granted += n; p.granted == n {
		p.setQuick()
	}
	return m
}

// take takes an object out, or counts a miss. soft says that the miss is TryGet's.
func (p *Pool[T]) take(soft bool) (v T, ok bool) {
	if p.stripes != nil {
		m, _ := p.lockStripe()
		if s := m.state; s&lenMask != 0 {
			v = m.pop(s)
			m.mu.Unlock()
			return v, true
		}
		m.mu.Unlock()
	} else if pinnedBuild && p.quick.Load() != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags)) {
			m := p.mags[id].Load()
			if s := m.state; s&lenMask != 0 {
				v = m.pop(s)
				rt.Unpin()
				return v, true
			}
		}
		rt.Unpin()
	}
	return p.takeCentral(soft)
}

func (p *Pool[T]) takeCentral(soft bool) (v T, ok bool) {
	p.mu.Lock()
	if len(p.items) > 0 && p.express() {
		v = p.popItem()
		p.books.pops++
		p.noteLow()
		p.mu.Unlock()
		return v, true
	}
	p.prepare()
	for {
		m, i := p.enter()
		if s := m.state; s&lenMask != 0 {
			v = m.pop(s)
			p.exit(m)
			p.mu.Unlock()
			return v, true
		}
		if n := len(p.items); n > 0 {
			if m.capacity == 0 {
				// The objects that move in bring their room along.
				k := min((p.magCap+1)/2, n)
				if c := min(p.magCap, p.room()+k); c >= k {
					m = p.grant(m, i, c)
				}
			}
			if c := int(m.capacity); c > 0 {
				p.refill(m, min((p.magCap+1)/2, n, c))
				v = m.pop(m.state)
			} else {
				v = p.popItem()
				p.books.pops++
			}
			p.exit(m)
			p.noteLow()
			p.mu.Unlock()
			return v, true
		}
		p.exit(m)
		if !p.objectsAway() {
			break
		}
		p.gatherOften()
	}
	p.books.misses++
	if soft {
		p.books.softMisses++
	}
	p.mu.Unlock()
	return v, false
}

// refill moves the k newest objects of the central stack to the empty magazine m.
func (p *Pool[T]) refill(m *magazine[T], k int) {
	rest := len(p.items) - k
	m.fill(p.items[rest:])
	clear(p.items[rest:])
	p.items = p.items[:rest]
	p.books.flow -= uint64(k)
}

// put is Put for an object that passed its checks and holds n bytes.
func (p *Pool[T]) put(v T, n int64) bool {
	if p.stripes != nil {
		m, _ := p.lockStripe()
		if s := m.state; s&lenMask < m.capacity {
			m.push(s, v)
			m.mu.Unlock()
			return true
		}
		m.mu.Unlock()
	} else if pinnedBuild && p.quick.Load() != 0 {
		id := rt.Pin()
		if uint(id) < uint(len(p.mags)) {
			m := p.mags[id].Load()
			if s := m.state; s&lenMask < m.capacity {
				m.push(s, v)
				rt.Unpin()
				return true
			}
		}
		rt.Unpin()
	}
	return p.putOrRefuse(v, n)
}

// putOrRefuse is put without a look at the local magazine first.
func (p *Pool[T]) putOrRefuse(v T, n int64) bool {
	if r, ok := p.putCentral(v, n); !ok {
		p.refuse(v, r)
		return false
	}
	return true
}

// putCentral returns false, and why, if the pool cannot take v. The Put is then
// counted already.
func (p *Pool[T]) putCentral(v T, n int64) (Reason, bool) {
	p.mu.Lock()
	if p.cfg.Size == nil && !p.closed && p.room() > 0 && p.express() {
		p.pushItem(v, n)
		p.books.accepts++
		p.noteHigh()
		p.armIdle()
		p.mu.Unlock()
		return 0, true
	}
	p.prepare()
	why := ReasonFull
	for {
		if p.closed {
			why = ReasonClosed
			break
		}
		if p.cfg.MaxBytes > 0 && n > p.cfg.MaxBytes-p.bytes {
			if n > p.cfg.MaxBytes {
				why = ReasonTooLarge
			}
			break
		}
		m, i := p.enter()
		ok := p.putLocal(m, i, v, n)
		p.exit(m)
		if ok {
			p.noteHigh()
			p.armIdle()
			p.mu.Unlock()
			return 0, true
		}
		if !p.roomAway() {
			break
		}
		p.gatherOften()
	}
	p.books.discards[why]++
	p.mu.Unlock()
	return why, false
}

// putLocal adds v to the magazine m, which the caller owns, or to the central stack.
func (p *Pool[T]) putLocal(m *magazine[T], i int, v T, n int64) bool {
	room := p.room()
	if m.capacity == 0 && room > 0 {
		m = p.grant(m, i, min(p.magCap, room))
	}
	s := m.state
	if s&lenMask < m.capacity {
		m.push(s, v)
		return true
	}
	if room <= 0 {
		return false
	}
	switch c := int(m.capacity); {
	case c == 0:
		p.pushItem(v, n)
		p.books.accepts++
		return true
	case c < p.magCap:
		more := min(p.magCap-c, room)
		m.capacity += uint64(more)
		p.granted += more
	default:
		k := min((c+1)/2, room)
		p.items = m.spill(p.items, k)
		p.books.flow += uint64(k)
	}
	m.push(m.state, v)
	return true
}

func (p *Pool[T]) pushItem(v T, n int64) {
	p.items = append(p.items, v)
	if p.cfg.Size != nil {
		p.sizes = append(p.sizes, n)
		p.bytes += n
	}
}

// noteHigh and noteLow keep the marks of how many items there were. They write only
// what is new.
func (p *Pool[T]) noteHigh() {
	if n := len(p.items); n > p.books.highWater {
		p.books.highWater = n
	}
}

func (p *Pool[T]) noteLow() {
	if n := len(p.items); n < p.idle.low {
		p.idle.low = n
	}
}

func (p *Pool[T]) popItem() T {
	last := len(p.items) - 1
	v := p.items[last]
	var zero T
	p.items[last] = zero
	p.items = p.items[:last]
	if p.cfg.Size != nil {
		p.bytes -= p.sizes[last]
		p.sizes = p.sizes[:last]
	}
	return v
}

// dropOldest takes the n oldest objects out of the central stack and returns them.
// It gives memory back when little is left.
func (p *Pool[T]) dropOldest(n int) []T {
	out := slices.Clone(p.items[:n])
	rest := len(p.items) - n
	if cap(p.items) > 64 && rest < cap(p.items)/4 {
		p.items = append(make([]T, 0, rest+magSize), p.items[n:]...)
	} else {
		p.items = slices.Delete(p.items, 0, n) // clears the tail
	}
	if p.cfg.Size != nil {
		for _, b := range p.sizes[:n] {
			p.bytes -= b
		}
		p.sizes = slices.Delete(p.sizes, 0, n)
	}
	p.noteLow()
	return out
}
