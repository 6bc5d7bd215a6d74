package batchchan

import "github.com/poundlock/poundlock/internal/list"

// keyTable finds keys. A Go map never becomes smaller; so when few of many keys
// are left, a new map takes the place of the old one, and every later operation
// moves one key over: no operation takes longer than a constant.
type keyTable[K comparable, T any] struct {
	keys, old map[K]*keyState[K, T]
	gen       uint32
	most      int                        // keys that keys has held
	all       list.List[*keyState[K, T]] // those of old first
}

// shrinkFrom is how many keys are worth a smaller map.
const shrinkFrom = 1024

func (t *keyTable[K, T]) len() int { return len(t.keys) + len(t.old) }

func (t *keyTable[K, T]) get(key K) *keyState[K, T] {
	if s := t.keys[key]; s != nil || t.old == nil {
		return s
	}
	return t.old[key]
}

func (t *keyTable[K, T]) put(s *keyState[K, T]) {
	if t.keys == nil {
		t.keys = make(map[K]*keyState[K, T])
	}
	s.gen = t.gen
	t.keys[s.key] = s
	t.most = max(t.most, len(t.keys))
	t.all.PushBack(&s.all)
	t.move()
}

func (t *keyTable[K, T]) remove(s *keyState[K, T]) {
	if s.gen == t.gen {
		delete(t.keys, s.key)
	} else {
		delete(t.old, s.key)
	}
	t.all.Remove(&s.all)
	if t.old == nil && t.most >= shrinkFrom && len(t.keys) < t.most/8 {
		t.old, t.keys, t.most = t.keys, make(map[K]*keyState[K, T]), 0
		t.gen++
	}
	t.move()
}

// each returns all keys, for a loop that may put and remove any.
func (t *keyTable[K, T]) each() []*keyState[K, T] {
	all := make([]*keyState[K, T], 0, t.all.Len())
	for s := range t.all.All() {
		all = append(all, s)
	}
	return all
}

// move moves one key from the old map.
func (t *keyTable[K, T]) move() {
	if t.old == nil {
		return
	}
	if len(t.old) == 0 {
		t.old = nil
		return
	}
	s := t.all.Front()
	delete(t.old, s.key)
	t.all.Remove(&s.all)
	old := t.old
	t.old = nil // put is to move nothing
	t.put(s)
	t.old = old
}
