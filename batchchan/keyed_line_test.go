package batchchan

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The line against a slice in which the senders stand as they came.
func TestKeyedLineModel(t *testing.T) {
	type sender = waiter[keyedItem[int, int]]
	rapid.Check(t, func(rt *rapid.T) {
		var l keyedLine[int, int]
		l.init()
		var keys []*keyState[int, int]
		for range 4 {
			keys = append(keys, newKeyState[int, int]())
		}
		type entry struct {
			s *keyState[int, int]
			w *sender
		}
		var model []entry
		find := func(w *sender) int {
			for i, m := range model {
				if m.w == w {
					return i
				}
			}
			rt.Fatal("not in the model")
			return 0
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			s := keys[rapid.IntRange(0, len(keys)-1).Draw(rt, "key")]
			switch rapid.SampledFrom([]string{"add", "add", "busy", "remove", "pop"}).Draw(rt, "op") {
			case "add":
				w := newWaiter[keyedItem[int, int]]()
				l.add(s, w)
				model = append(model, entry{s, w})
			case "busy":
				s.running = !s.running
				l.rank(s)
			case "remove":
				if len(model) > 0 {
					i := rapid.IntRange(0, len(model)-1).Draw(rt, "i")
					l.remove(model[i].s, model[i].w)
					model = append(model[:i], model[i+1:]...)
				}
			case "pop":
				if s.waiters.any() {
					w := l.pop(s)
					i := find(w)
					for _, m := range model[:i] {
						require.NotSame(rt, s, m.s, "first come of its key, first out")
					}
					model = append(model[:i], model[i+1:]...)
				}
			}
			require.Equal(rt, len(model), l.len())
			for _, keyRoom := range []bool{false, true} {
				var want *keyState[int, int]
				for _, m := range model {
					if keyRoom || m.s.busy() {
						want = m.s
						break
					}
				}
				require.Same(rt, want, l.next(keyRoom), "room for a key: %v", keyRoom)
			}
		}
	})
}
