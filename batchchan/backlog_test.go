package batchchan

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// logItem is an item of the model: what a backlog may know of it, and what only the
// model does.
type logItem struct {
	id   int
	size int
	at   time.Duration
	pos  uint64 // as placed says; 0 when it was taken out
	gone bool
}

// logModel is a backlog in the slowest way: batches as slices of items.
type logModel struct {
	ready [][]*logItem    // each taken whole
	buf   [][]*logItem    // the open batches; the last is not full
	at    []time.Duration // when the first items of these came, also where they have left since
}

func (m *logModel) pending() (n, bytes int) {
	for _, bs := range [][][]*logItem{m.ready, m.buf} {
		for _, b := range bs {
			for _, v := range b {
				if !v.gone {
					n++
					bytes += v.size
				}
			}
		}
	}
	return n, bytes
}

func (m *logModel) filling() (n int) {
	for _, b := range m.buf {
		n += len(b)
	}
	return n
}

// A backlog against the model: what is taken, in which batches, how much waits, and
// what Send may append by itself.
func TestBacklogAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config[*logItem]{MaxBatch: rapid.IntRange(1, 4).Draw(t, "MaxBatch")}
		bulk, leaves := cfg.MaxBatch, false
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 1:
			bulk = cfg.MaxBatch * 3
		case 2:
			cfg.SizeOf, cfg.MaxBytes = func(v *logItem) int { return v.size }, 10
		case 3:
			leaves = true
		}
		var l backlog[*logItem]
		l.init(&cfg, bulk)
		if leaves {
			l.placed = func(v *logItem, at uint64) { v.pos = at }
			l.leaves = func(v *logItem) bool { return v.gone }
		}
		var m logModel
		ids, now := 0, time.Duration(0)
		item := func() *logItem {
			ids++
			v := &logItem{id: ids, at: now}
			if l.sized {
				v.size = rapid.IntRange(0, 5).Draw(t, "size")
			}
			return v
		}
		batches := uint64(0) // cut
		cut := func(why Reason) {
			full := len(m.buf)
			if last := m.buf[full-1]; l.runs() && full > 1 && len(last) < cfg.MaxBatch {
				full--
			}
			b, n := l.cut(why)
			require.Equal(t, full, n)
			require.Equal(t, m.at[0], b.firstAt, "the age of the first item")
			require.Equal(t, batches+1, b.seq)
			if l.runs() && len(m.buf[0]) == cfg.MaxBatch {
				why = BySize
			}
			require.Equal(t, why, b.reason)
			var all []*logItem
			for _, x := range m.buf[:full] {
				all = append(all, x...)
			}
			m.ready, m.buf, m.at = append(m.ready, all), m.buf[full:], m.at[full:]
			batches += uint64(n)
		}
		model := func(v *logItem) { // after it was added
			if n := len(m.buf); n == 0 || len(m.buf[n-1]) == cfg.MaxBatch {
				m.buf, m.at = append(m.buf, nil), append(m.at, v.at)
			}
			m.buf[len(m.buf)-1] = append(m.buf[len(m.buf)-1], v)
		}
		check := func() {
			n, bytes := m.pending()
			require.Equal(t, n, l.pending())
			require.Equal(t, bytes, l.pendingBytes())
			require.Equal(t, m.filling(), l.filling())
			require.Equal(t, len(m.buf), l.batches())
			require.Equal(t, len(m.ready) > 0, l.anyReady())
			require.Equal(t, batches+1, l.seq)
			limit := rapid.IntRange(0, 20).Draw(t, "limit")
			l.allow(limit)
			if len(l.buf) < l.room {
				require.Less(t, n, limit, "room for one more")
				require.Less(t, len(m.buf[len(m.buf)-1]), cfg.MaxBatch-1, "and it neither opens nor fills a batch")
			} else if n < limit && len(m.buf) > 0 {
				require.GreaterOrEqual(t, len(m.buf[len(m.buf)-1]), cfg.MaxBatch-1, "plain appends are not refused without a reason")
			}
		}
		filled := func() {
			if l.full() || l.heavy() {
				cut(BySize)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { check() },
			"add": func(*rapid.T) {
				now++
				v := item()
				if l.excludes(v.size) {
					cut(ByBytes)
				}
				opened := l.add(v, v.size, now)
				model(v)
				require.Equal(t, len(m.buf[len(m.buf)-1]) == 1, opened)
				filled()
			},
			"many": func(t *rapid.T) {
				if l.sized {
					t.Skip("items with sizes come one by one")
				}
				now++
				var items []*logItem
				for range rapid.IntRange(1, 9).Draw(t, "n") {
					items = append(items, item())
				}
				for len(items) > 0 {
					n, opened := l.addMany(items, now)
					require.Positive(t, n)
					for _, v := range items[:n] {
						model(v)
					}
					require.Equal(t, len(m.buf[len(m.buf)-1]) == n, opened)
					items = items[n:]
					filled()
				}
			},
			"take": func(t *rapid.T) {
				if !l.anyReady() {
					if l.filling() == 0 {
						t.Skip("nothing waits")
					}
					cut(ByIdle)
				}
				b := l.pop()
				require.Equal(t, max(len(m.ready[0])/cfg.MaxBatch, 1), l.batchesIn(b))
				l.begun(len(b.items)-b.off, b.bytes)
				want := m.ready[0]
				m.ready = m.ready[1:]
				if leaves {
					want = nil
					for _, v := range b.items[b.off:] {
						if !v.gone {
							want = append(want, v)
						}
					}
					require.Equal(t, len(want), l.clean(b))
				}
				require.Equal(t, want, append([]*logItem(nil), b.items[b.off:]...), "in order, and whole")
				clear(b.items)
				l.recycle(b)
			},
			"drop": func(t *rapid.T) {
				if l.runs() {
					t.Skip("nothing is dropped from a run")
				}
				if !l.anyReady() {
					if l.filling() == 0 {
						t.Skip("nothing waits")
					}
					cut(ByBytes)
				}
				v, ok, emptied := l.dropFirst()
				first := m.ready[0]
				if ok {
					require.Same(t, first[0], v)
					require.False(t, v.gone)
					require.Zero(t, v.pos)
					first = first[1:]
				} else {
					require.True(t, first[0].gone)
					for len(first) > 0 && first[0].gone {
						first = first[1:]
					}
				}
				m.ready[0] = first
				require.Equal(t, len(first) == 0, emptied != nil)
				if emptied != nil {
					m.ready = m.ready[1:]
					l.recycle(emptied)
				}
			},
			"leave": func(t *rapid.T) {
				if !leaves {
					t.Skip("nothing may leave")
				}
				var all []*logItem
				for _, bs := range [][][]*logItem{m.ready, m.buf} {
					for _, b := range bs {
						for _, v := range b {
							if !v.gone {
								all = append(all, v)
							}
						}
					}
				}
				if len(all) == 0 {
					t.Skip("everything has left")
				}
				v := rapid.SampledFrom(all).Draw(t, "item")
				v.gone = true
				require.True(t, l.mark(v.pos, v.size))
				require.False(t, l.mark(l.takenTo, 0), "what was taken cannot leave")
			},
			"sweep": func(t *rapid.T) {
				if !leaves {
					t.Skip("nothing may leave")
				}
				emptied := l.sweep()
				sweep := func(bs [][]*logItem) (kept [][]*logItem, empty int) {
					for _, b := range bs {
						var k []*logItem
						for _, v := range b {
							if !v.gone {
								k = append(k, v)
							}
						}
						if k == nil {
							empty++
						} else {
							kept = append(kept, k)
						}
					}
					return kept, empty
				}
				var empty int
				m.ready, empty = sweep(m.ready)
				if m.buf, _ = sweep(m.buf); len(m.buf) == 0 {
					m.at = nil
				}
				for emptied.head != nil {
					l.recycle(emptied.pop())
					empty--
				}
				require.Zero(t, empty)
			},
			"take back": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "seldom") > 0 {
					t.Skip("seldom")
				}
				var want, got []*logItem
				for _, bs := range [][][]*logItem{m.ready, m.buf} {
					for _, b := range bs {
						for _, v := range b {
							if !v.gone {
								want = append(want, v)
							}
						}
					}
				}
				for l.anyReady() {
					b := l.pop()
					got = l.appendStaying(got, b.items[b.off:])
					clear(b.items)
					l.recycle(b)
				}
				got, n := l.takeBack(got)
				require.Equal(t, m.filling(), n)
				require.Equal(t, want, got)
				m = logModel{}
			},
		})
	})
}

// A sweep is made when the marked are many, and the larger part of what waits.
func TestBacklogSparse(t *testing.T) {
	for _, c := range []struct {
		items, gone int
		want        bool
	}{{64, 64, false}, {100, 65, true}, {130, 65, false}, {129, 65, true}, {1000, 400, false}} {
		cfg := Config[int]{MaxBatch: 50}
		var l backlog[int]
		l.init(&cfg, 50)
		for i := range c.items {
			if l.add(i, 0, 0); l.full() {
				l.cut(BySize)
			}
		}
		l.added = uint64(c.items)
		for i := range c.gone {
			require.True(t, l.mark(uint64(i+1), 0))
		}
		require.Equal(t, c.want, l.sparse(), "%+v", c)
		require.Equal(t, c.items-c.gone, l.pending())
	}
}

// Requests whose Do has left take no memory for long, though no worker is free.
func TestWhatHasLeftIsSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		k := Must(NewCaller(Config[int]{MaxBatch: 10}, func(context.Context, []int, []Result[int]) error {
			<-gate
			return nil
		}))
		go func() { _, _ = k.Do(t.Context(), 0) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 300 {
			go func() { _, _ = k.Do(ctx, i) }()
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		k.g.mu.lock()
		kept := k.g.core.backlog.readyItems + k.g.core.backlog.filling()
		k.g.mu.unlock()
		require.LessOrEqual(t, kept, 64)
		close(gate)
		require.NoError(t, k.Close())
	})
}
