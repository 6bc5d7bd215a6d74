package batchchan

import (
	"context"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// HotOffsets returns where in its cache line the words of Send's fast path are.
func HotOffsets() (lock, room uintptr) {
	var g engine[int]
	return unsafe.Offsetof(g.mu), unsafe.Offsetof(g.core) + unsafe.Offsetof(g.core.backlog) + unsafe.Offsetof(g.core.backlog.room)
}

// Validate compares all counts with what is really there. inProcessor is how many
// batches are with workers or receivers: known where nothing moves.
func (b *Batcher[T]) Validate(t require.TestingT, inProcessor int) { b.g.validate(t, inProcessor) }

func (q *Queue[T]) Validate(t require.TestingT, inProcessor int) { q.g.validate(t, inProcessor) }

func (p *Pipe[In, Out]) Validate(t require.TestingT, inProcessor int) { p.g.validate(t, inProcessor) }

func (k *Caller[Req, Res]) Validate(t require.TestingT, inProcessor int) {
	k.g.validate(t, inProcessor)
}

func (k *Keyed[K, T]) Validate(t require.TestingT, inProcessor int) { k.k.validate(t, inProcessor) }

// Armed says whether the alarm is set.
func (b *Batcher[T]) Armed() bool {
	b.g.mu.lock()
	defer b.g.mu.unlock()
	return b.g.core.alarm.armed
}

func (k *Keyed[K, T]) Armed() bool {
	k.k.mu.lock()
	defer k.k.mu.unlock()
	return k.k.core.alarm.armed
}

// OnRing calls f at each ring of the alarm.
func (k *Keyed[K, T]) OnRing(f func()) {
	ring := k.k.core.alarm.ring
	k.k.core.alarm.ring = func() { f(); ring() }
}

// HasRuns says whether the batches are small enough for runs.
func (b *Batcher[T]) HasRuns() bool { return b.g.core.backlog.runs() }

// SetOnError sets Config.OnError of a Batcher that nobody has used.
func (b *Batcher[T]) SetOnError(f func(ctx context.Context, err error, items []T)) {
	b.g.cfg.OnError = f
}

// Flushes returns how many barriers the Flush calls under way have.
func (b *Batcher[T]) Flushes() int {
	b.g.mu.lock()
	defer b.g.mu.unlock()
	return len(b.g.core.barriers.all)
}

// Frozen calls f while nobody else moves on.
func (q *Queue[T]) Frozen(f func()) {
	q.g.mu.lock()
	defer q.g.mu.unlock()
	f()
}

// HelpersAtWork returns how many goroutines run a batch in a sender's place.
func (p *Pipe[In, Out]) HelpersAtWork() int { return len(p.g.helper) }

// Joined returns how many requests others can join.
func Joined[K comparable, Req, Res any](k *Caller[Req, Res]) int {
	m, ok := k.merge.(*merging[K, Req, Res])
	if !ok {
		return 0
	}
	return len(m.flights)
}

// Cached returns how many answers are kept, and how many places the order of their ages
// has, those of forgotten answers included.
func Cached[K comparable, Req, Res any](k *Caller[Req, Res]) (answers, places int) {
	m := k.merge.(*merging[K, Req, Res])
	return len(m.cached.all), m.cached.order.len()
}

// CountLooks counts in looked how often the senders that wait in k are looked at.
func (k *Keyed[K, T]) CountLooks(looked *int) {
	for _, h := range []*keyHeap[K, T]{&k.k.core.line.wantKey, &k.k.core.line.wantRoom} {
		number := h.number
		h.number = func(s *keyState[K, T]) uint64 { *looked++; return number(s) }
	}
}

// Frozen calls f while nobody else moves on.
func (k *Keyed[K, T]) Frozen(f func()) {
	k.k.mu.lock()
	defer k.k.mu.unlock()
	f()
}

// KeysAreMoved says whether the table of keys is being moved to a smaller one.
func (k *Keyed[K, T]) KeysAreMoved() bool { return len(k.k.core.keys.old) > 0 }

// ShrinkFrom is how many keys a table has that is made smaller.
const ShrinkFrom = shrinkFrom

// FrozenResults calls f while nobody moves results.
func (p *Pipe[In, Out]) FrozenResults(f func()) {
	p.out.mu.lock()
	defer p.out.mu.unlock()
	f()
}

// CloseFirst closes c for senders, wakes nobody, and says whether it was the first.
func (c *Chan[T]) CloseFirst() bool { return c.ring.close() }

// SetIdleTimeout lowers KeyIdleTimeout.
func (k *Keyed[K, T]) SetIdleTimeout(d time.Duration) { k.k.core.idleTime = min(k.k.core.idleTime, d) }
