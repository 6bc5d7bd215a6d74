package locks_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/poundlock/poundlock/locks"
)

func ExampleRWMutex() {
	var (
		mu     locks.RWMutex
		prices = map[string]int{"tea": 3}
	)
	mu.RLock()
	fmt.Println("tea costs", prices["tea"])
	mu.RUnlock()

	mu.Lock()
	prices["tea"] = 4
	mu.Unlock()

	st := mu.Stats()
	fmt.Println(st.Reads, "read,", st.Writes, "write, contention", st.Contention)
	// Output:
	// tea costs 3
	// 1 read, 1 write, contention 0
}

func ExampleRWMutex_LockContext() {
	var mu locks.RWMutex
	mu.RLock() // somebody reads for a long time
	defer mu.RUnlock()

	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err := mu.LockContext(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleRWMutex_Downgrade() {
	var mu locks.RWMutex
	config := "old"

	mu.Lock()
	config = "new"
	mu.Downgrade() // others may read now, and nobody can write in between
	fmt.Println(config, mu.TryLock(), mu.TryRLock())
	mu.RUnlock()
	mu.RUnlock()
	// Output: new false true
}

func ExampleRWMutex_TryUpgrade() {
	var mu locks.RWMutex
	cache := map[string]string{}

	mu.RLock()
	if _, ok := cache["key"]; !ok {
		if !mu.TryUpgrade() { // not alone: queue up as a writer, and look again
			mu.RUnlock()
			mu.Lock()
		}
		if _, ok := cache["key"]; !ok {
			cache["key"] = "value"
		}
		mu.Downgrade()
	}
	fmt.Println(cache["key"])
	mu.RUnlock()
	// Output: value
}

func ExampleRWMutex_Upgrade() {
	var mu locks.RWMutex
	stock, ctx := 3, context.Background()

	// Look as a reader, beside others; write only if there is something to do, and
	// then know that nobody has written since.
	take := func() bool {
		for {
			mu.RLock()
			if stock == 0 {
				mu.RUnlock()
				return false
			}
			if mu.Upgrade(ctx) == nil {
				break
			}
			mu.RUnlock() // another is about to write: let it, and look again
		}
		stock--
		mu.Unlock()
		return true
	}
	fmt.Println(take(), take(), take(), take())
	// Output: true true true false
}

func ExampleSetDebug() {
	// In TestMain, for "go test -tags poundlock_debug ./...".
	watched := locks.SetDebug(locks.DebugOptions{
		WaitLimit: 5 * time.Second,
		OnReport:  func(report string) { log.Print(report) },
	})
	if watched {
		log.Print("locks are watched for inversions and long waits")
	}
	fmt.Println("ready")
	// Output: ready
}

func ExampleKeyed_RLockMany() {
	var documents locks.Keyed[string] // the zero value works
	read := documents.RLockMany("contract", "annex")
	_, ok := documents.TryLockMany("annex", "invoice")
	fmt.Println("while they are read:", ok)
	read.Unlock()
	write, ok := documents.TryLockMany("annex", "invoice")
	fmt.Println("afterwards:", ok)
	write.Unlock()
	// Output:
	// while they are read: false
	// afterwards: true
}

func ExampleSpinMutex() {
	var mu locks.SpinMutex
	n := 0
	for range 3 {
		mu.Lock()
		n++
		mu.Unlock()
	}
	fmt.Println(n, mu.Stats().Acquired)
	// Output: 3 3
}

func ExampleKeyed() {
	accounts := locks.NewKeyed[string]()

	alice := accounts.Lock("alice")
	_, ok := accounts.TryLock("alice")
	fmt.Println("again:", ok)
	fmt.Println("in use:", accounts.Len())
	alice.Unlock()
	fmt.Println("in use:", accounts.Len())
	// Output:
	// again: false
	// in use: 1
	// in use: 0
}

func ExampleKeyed_LockMany() {
	accounts := locks.NewKeyed[string]()
	balance := map[string]int{"alice": 10, "bob": 0}

	// Transfers in both directions at once cannot lock each other out.
	both := accounts.LockMany("alice", "bob")
	balance["alice"] -= 4
	balance["bob"] += 4
	both.Unlock()

	fmt.Println(balance["alice"], balance["bob"])
	// Output: 6 4
}

func ExampleWriteContention() {
	var mu locks.RWMutex
	mu.SetOptions(locks.RWOptions{Name: "registry", SiteSampling: 10}) // every tenth that sleeps

	// … later, for instance in a debug handler:
	locks.WriteContention(os.Stdout)
	// Output: WAITED  WAITS  SAMPLES  MAX  LOCK  CALLED FROM
}
