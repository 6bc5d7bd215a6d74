package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// settled checks that a shop has as many goroutines and connections as it needs: what a fault
// left behind has ended. It leaves the shop without customers.
func (r *rig) settled(goroutines uint64) {
	r.t.Helper()
	r.client.CloseIdleConnections()
	within(r.t, patience, fmt.Sprintf("more than %d goroutines and 30", goroutines), func() bool {
		return r.figures().Routines <= goroutines+30
	})
	require.LessOrEqual(r.t, r.connections(), int64(16), "the bound of the pool")
}

// underLoad has a shop with customers go through a fault, audits it and ends it.
func underLoad(t *testing.T, prepare, fault func(*rig)) {
	t.Helper()
	r := newRig(t, prepare)
	stop := r.customers(16, ada)
	defer func() { stop() }()
	r.recovered() // the shop is warm
	quiet := r.figures().Routines
	fault(r)
	r.recovered()
	stop()
	stop = func() {}
	r.settled(quiet)
	require.Empty(t, r.refused, "nobody asks for too much")
	r.audit()
	r.end()
}

// viewers look at products, and must not notice anything, until stop.
func (r *rig) viewers(n int) (stop func()) {
	var bad atomic.Int64
	leave := crowd(n, func(c, i int) {
		resp, err := r.client.Get(fmt.Sprint(r.url, "/products/", 1+(c*250+i)%1000))
		if err != nil || resp.StatusCode != http.StatusOK {
			bad.Add(1)
		}
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	return func() {
		r.t.Helper()
		leave()
		require.Zero(r.t, bad.Load(), "products that were not shown")
	}
}

func killRedis(t *testing.T, dir string) {
	text, err := os.ReadFile(filepath.Join(dir, "redis", "pid"))
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
}

func TestRedisIsKilled(t *testing.T) {
	dir := servers(t)
	underLoad(t, nil, func(r *rig) {
		look := r.viewers(4)
		killRedis(t, dir)
		<-time.After(time.Second) // the fault's length
		r.recovered()             // without Redis
		r.script("restart", dir, "redis")
		was := r.figures().Commands
		within(t, recovery, "Redis is not used again", func() bool { return r.figures().Commands > was })
		within(t, patience, "Redis is used seldom", func() bool { return r.figures().Commands > was+20 })
		look()
	})
}

func TestPostgresIsRestarted(t *testing.T) {
	dir := servers(t)
	underLoad(t, nil, func(r *rig) {
		r.script("restart", dir, "postgres")
		r.connect() // the test's own connection is gone, too
	})
}

func TestPaymentsAreSilent(t *testing.T) {
	underLoad(t, nil, func(r *rig) {
		r.pay.BlackHole(true)
		within(t, recovery, "orders are still taken", func() bool { return r.row.Load() == 0 })
		<-time.After(2 * time.Second) // the fault's length
		r.pay.BlackHole(false)
	})
}

// The process is stopped for three seconds, as a machine that sleeps or swaps is: longer
// than it holds goods for the orders that it was at. These it may refuse. When it goes on
// it takes orders again within the limit that every fault has, also where the freeze found
// it waiting for payments: they have all timed out then, and the breaker opens.
func TestTheProcessIsFrozen(t *testing.T) {
	for name, silent := range map[string]bool{"at any time": false, "waiting for payments": true} {
		t.Run(name, func(t *testing.T) {
			underLoad(t, func(r *rig) { r.hold = 2 * time.Second }, func(r *rig) {
				r.pay.BlackHole(silent)
				if silent {
					within(t, patience, "nobody waits for a payment", func() bool { return r.pay.Waiting() >= 5 })
				}
				require.NoError(t, r.cmd.Process.Signal(syscall.SIGSTOP))
				<-time.After(3 * time.Second) // the fault's length
				thaw := time.Now()
				require.NoError(t, r.cmd.Process.Signal(syscall.SIGCONT))
				if silent {
					within(t, patience, "the breaker stays closed: the test tests nothing", func() bool {
						return r.metric(`poundlock_breaker_opened_total{name="payment"}`) > 0
					})
					r.pay.BlackHole(false)
				}
				require.Less(t, r.recovered().Sub(thaw), recovery, "from the thaw to the first of thirty orders in a row")
			})
		})
	}
}

// Every order that was begun when the signal came is answered, what was answered is in
// the database, and its mail is sent, though jobs are in the process. Customers who got no
// answer ask the next process with the same key.
func TestTheProcessIsTerminated(t *testing.T) {
	servers(t)
	box := newMailbox(t)
	underLoad(t, func(r *rig) { r.args = []string{"-mails", box.name} }, func(r *rig) {
		reading := make(chan func(), 1)
		time.AfterFunc(2*time.Second, func() { reading <- box.read() }) // until then no mail is sent
		r.end()
		t.Cleanup(<-reading)
		r.mu.Lock()
		told := slices.Sorted(maps.Keys(r.taken))
		r.mu.Unlock()
		within(t, patience, "orders without a mail", func() bool {
			sent := box.mails()
			return !slices.ContainsFunc(told, func(key string) bool { return sent[key] == 0 })
		})
		r.start()
		r.askAgain()
	})
}

// askAgain has all customers without an answer ask once more.
func (r *rig) askAgain() {
	r.t.Helper()
	r.mu.Lock()
	again := maps.Clone(r.unknown)
	r.mu.Unlock()
	r.t.Logf("%d customers without an answer", len(again))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				key, ok := r.nextUnknown(again)
				if !ok {
					return
				}
				if status := r.repeat(key); status != http.StatusOK && status != http.StatusCreated {
					r.t.Errorf("%s, asked again: %d", key, status)
				}
			}
		})
	}
	wg.Wait()
}

// One order in ten passes the shop's own checks and not the table's.
func TestPoisonOrders(t *testing.T) {
	r := newRig(t, nil)
	long := strings.Repeat("A", 150)
	stop := r.customers(16, func(i int) string {
		if i%10 == 3 {
			return long
		}
		return "Ada"
	})
	within(t, patience, "too few orders", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.taken) > 300
	})
	stop()
	require.Empty(t, r.unknown, "poison harms nobody else")
	for key, status := range r.refused {
		i, err := strconv.Atoi(key[strings.LastIndexByte(key, '-')+1:])
		require.NoError(t, err)
		require.Equal(t, 3, i%10, "poison harms nobody else: %s got %d", key, status)
	}
	const retried = `poundlock_batchchan_caller_retried_total{name="orders"}`
	was := r.metric(retried)
	require.Equal(t, http.StatusUnprocessableEntity, r.post(r.name+"-poison", long, 1))
	require.Equal(t, was, r.metric(retried), "what will never be taken is tried once")
	r.audit()
	r.end()
}
