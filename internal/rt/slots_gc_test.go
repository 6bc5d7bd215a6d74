//go:build gc && go1.26 && !go1.28 && (amd64 || arm64) && !race && !poundlock_portable

package rt

import "testing"

// Ms whose addresses hash alike have numbers of their own; only when hardly a slot is
// free does anybody share one.
func TestNumbersOfThreadsThatHashAlike(t *testing.T) {
	const base = 0xc000_0008
	defer forgetMadeUp()
	seen := map[int]uintptr{}
	for span := range uintptr(8) {
		for i := range uintptr(4) {
			// Each span is as far from the next as makes its slots the same.
			m := 0xf<<60 | (base + i<<11 + span<<31)
			if slotOf(m) != slotOf(0xf<<60|(base+i<<11)) {
				t.Fatalf("the test's addresses %x do not hash alike", m)
			}
			n := numberOf(m)
			if other, taken := seen[n]; taken || n < 1 {
				t.Errorf("%x and %x have the number %d", m, other, n)
			}
			if again := numberOf(m); again != n {
				t.Errorf("%x had the number %d and has %d", m, n, again)
			}
			seen[n] = m
		}
	}
}

func TestMoreThreadsThanSlots(t *testing.T) {
	defer forgetMadeUp()
	for i := range uintptr(2 * threadSlots) {
		if n := numberOf(0xf<<60 | i<<11); n < 1 {
			t.Fatalf("the number of thread %d is %d", i, n)
		}
	}
}

// forgetMadeUp frees the slots of addresses that no M has: those above 0xf<<60.
func forgetMadeUp() {
	for i := range threads {
		if m := threads[i].m.Load(); m>>60 == 0xf {
			threads[i].m.Store(0)
		}
	}
}
