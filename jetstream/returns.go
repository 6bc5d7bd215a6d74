package jetstream

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// returns are messages that go back because the Worker ends. The zero value is ready to use.
type returns struct {
	mu  sync.Mutex
	all []*held // guarded by mu; the ledger has ended them
}

func (r *returns) add(hs ...*held) {
	r.mu.Lock()
	r.all = append(r.all, hs...)
	r.mu.Unlock()
}

func (r *returns) take() (all []*held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, r.all = r.all, nil
	return all
}

// handBack hands back what is to go back, in the order of the stream: the server delivers it
// again in the order in which it hears of it.
func (w *Worker) handBack() {
	all := w.ledger.young(w.back.take(), time.Now())
	slices.SortFunc(all, func(a, b *held) int { return cmp.Compare(a.d.Sequence, b.d.Sequence) })
	for _, h := range all {
		w.nak(h.msg, 0)
	}
}

// late hands back what came after the end had begun, through a request that is still open. At
// once it would come again through that: once per place, and each time counts for MaxDeliver.
// So only what comes for the first time goes back at once. With keys nothing does: what goes
// back and forth would lose its order.
func (w *Worker) late(h *held) {
	switch {
	case w.cfg.Key != nil:
		w.back.add(h)
	case h.d.Delivered > 1:
		w.nak(h.msg, w.src.expires*5/4)
	default:
		w.nak(h.msg, 0)
	}
}
