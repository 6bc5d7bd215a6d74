package rt

import (
	"runtime"
	"testing"
)

func TestStripeIsNotNegative(t *testing.T) {
	for range 1000 {
		if s := Stripe(); s < 0 {
			t.Fatalf("Stripe() = %d", s)
		}
	}
}

func TestPinIsBelowGOMAXPROCS(t *testing.T) {
	if !Pinned {
		t.Skip("this build uses the portable twin, whose Pin is a random hint")
	}
	for range 1000 {
		p := Pin()
		Unpin()
		if n := runtime.GOMAXPROCS(0); p < 0 || p >= n {
			t.Fatalf("Pin() = %d with GOMAXPROCS %d", p, n)
		}
	}
}

func TestPinExcludesOthersOnTheSameP(t *testing.T) {
	if !Pinned {
		t.Skip("this build uses the portable twin, whose Pin excludes nobody")
	}
	// Plain counters, one per P: an update is lost if pinning does not exclude.
	var perP [1024]struct {
		n int
		_ [120]byte
	}
	const goroutines, rounds = 16, 20000
	done := make(chan struct{})
	for range goroutines {
		go func() {
			defer func() { done <- struct{}{} }()
			for range rounds {
				p := Pin()
				perP[p].n++
				Unpin()
			}
		}()
	}
	for range goroutines {
		<-done
	}
	sum := 0
	for i := range perP {
		sum += perP[i].n
	}
	if sum != goroutines*rounds {
		t.Fatalf("counted %d of %d", sum, goroutines*rounds)
	}
}

func TestCanSpinIsBounded(t *testing.T) {
	if CanSpin(1 << 20) {
		t.Fatal("CanSpin must end")
	}
	ProcYield(10)
}

func BenchmarkStripe(b *testing.B) {
	for b.Loop() {
		Stripe()
	}
}
