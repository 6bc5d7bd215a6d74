package batchchan

// idlers are the workers and Recv callers that have nothing to do. The one that came
// last is woken first: what it works with is still in the cache. The owner's lock
// guards it.
type idlers struct{ all []*taker }

// taker is a worker or a Recv caller.
type taker struct {
	signal
	next *taker // in effects
}

// any says whether somebody is parked.
func (p *idlers) any() bool { return len(p.all) > 0 }

// add parks t, whose signal must be armed.
func (p *idlers) add(t *taker) { p.all = append(p.all, t) }

// pop takes out the one that is to be woken. There is one.
func (p *idlers) pop() *taker {
	n := len(p.all) - 1
	t := p.all[n]
	p.all[n] = nil
	p.all = p.all[:n]
	return t
}

// remove takes t out. It reports false if t was popped before: then t's signal is on
// its way, and whoever sends it counts on t.
func (p *idlers) remove(t *taker) bool {
	for i, u := range p.all {
		if u == t {
			last := len(p.all) - 1
			copy(p.all[i:], p.all[i+1:])
			p.all[last] = nil
			p.all = p.all[:last]
			return true
		}
	}
	return false
}
