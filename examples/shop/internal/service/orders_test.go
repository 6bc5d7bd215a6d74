package service

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

func TestAnOrder(t *testing.T) {
	b := newBench(t, nil)
	status, body := b.call("POST", "/orders", order("first-order", 4, 2))
	require.Equal(t, http.StatusCreated, status, body)
	status, again := b.call("POST", "/orders", order("first-order", 4, 2))
	require.Equal(t, http.StatusOK, status, "the same order")
	require.Equal(t, body, again)
	status, body = b.call("GET", "/orders/first-order", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"quantity":2`)
	status, _ = b.call("GET", "/orders/no-such-order", "")
	require.Equal(t, http.StatusNotFound, status)
	stock, _, _, _ := b.store.Books(4)
	require.EqualValues(t, testStock-2, stock)
	eventually(t, func() bool { return b.shop.jobs.(*poolQueue).pool.Stats().Completed == 2 }) // the mail, and again for who asks again
	b.balanced(4)
}

func TestAnOrderThatIsNotTaken(t *testing.T) {
	b := newBench(t, nil)
	for name, c := range map[string]struct {
		body string
		want int
	}{
		"no JSON":      {"{", http.StatusBadRequest},
		"no key":       {order("", 4, 1), http.StatusBadRequest},
		"no quantity":  {order("no-quantity", 4, 0), http.StatusBadRequest},
		"no product":   {order("no-product", 1000, 1), http.StatusNotFound},
		"not in stock": {order("much-too-much", 4, testStock), http.StatusPaymentRequired},
	} {
		status, body := b.call("POST", "/orders", c.body)
		require.Equal(t, c.want, status, "%s: %s", name, body)
	}
	b.call("POST", "/orders", order("one-is-sold", 4, 1))
	status, _ := b.call("POST", "/orders", order("all-of-it", 4, testStock))
	require.Equal(t, http.StatusConflict, status)
	b.balanced(4)
}

// An order whose goods went back to the shelf meanwhile is not written.
func TestAnOrderThatComesTooLate(t *testing.T) {
	b := newBench(t, nil)
	_, err := b.shop.orders.write.Do(t.Context(), goods.Order{Key: "never-reserved", Customer: "Ada", Product: 1, Quantity: 1})
	require.ErrorIs(t, err, goods.ErrExpired)
	_, _, _, orders := b.store.Books(1)
	require.Empty(t, orders)
}

// Orders that come together are written together. One that the database refuses does no
// harm to the others, and is not tried again: its batch is halved until it stands alone.
func TestPoisonInABatch(t *testing.T) {
	b := newBench(t, nil)
	hold := make(chan struct{})
	b.store.writeGate = hold
	open := sync.OnceFunc(func() { close(hold) })
	defer open()          // else a failure hangs
	const n, busy = 60, 2 // busy: as many as there are workers, so that the rest becomes one batch
	var wg sync.WaitGroup
	status := make([]int, n+busy)
	send := func(i int) {
		wg.Go(func() {
			text := order(fmt.Sprint("batch-order-", i), 9, 1)
			if i == n/2 {
				text = strings.Replace(text, "Ada", strings.Repeat("A", 150), 1)
			}
			status[i], _ = b.call("POST", "/orders", text)
		})
	}
	for i := range busy {
		send(n + i)
		eventually(t, func() bool { return len(b.store.written()) == i+1 })
	}
	for i := range n {
		send(i)
	}
	eventually(t, func() bool { return b.shop.orders.write.Stats().Pending == n })
	b.store.mu.Lock()
	b.store.writeGate = nil
	b.store.mu.Unlock()
	open()
	wg.Wait()
	for i, s := range status {
		want := http.StatusCreated
		if i == n/2 {
			want = http.StatusUnprocessableEntity
		}
		require.Equal(t, want, s, "order %d", i)
	}
	b.balanced(9)
	_, _, ordered, _ := b.store.Books(9)
	require.EqualValues(t, n-1+busy, ordered)
	refused := map[string]bool{}
	for _, w := range b.store.written() {
		require.False(t, refused[w.keys], "refused, and tried again as it was: %s", w.keys)
		refused[w.keys] = w.refused
	}
	require.True(t, refused[fmt.Sprint("batch-order-", n/2)], "it stood alone")
	require.LessOrEqual(t, len(refused), busy+1+2*6, "60 orders are halved six times at most")
}

func TestSilentPaymentService(t *testing.T) {
	b := newBench(t, nil)
	b.pay.BlackHole(true)
	open := func() bool { return b.shop.orders.pay.breaker.Stats().State == connpool.BreakerOpen }
	for i := 0; !open(); i++ {
		status, _ := b.call("POST", "/orders", order(fmt.Sprint("silent-order-", i), 2, 1))
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Less(t, i, 5)
	}
	n := 0
	eventually(t, func() bool { // who comes when the breaker's second is over is let through
		n++
		key := fmt.Sprint("refused-order-", n)
		status, _ := b.call("POST", "/orders", order(key, 2, 1))
		require.Equal(t, http.StatusServiceUnavailable, status)
		_, asked := b.pay.Charged()[key]
		return !asked
	})
	b.pay.BlackHole(false)
	eventually(t, func() bool {
		status, _ := b.call("POST", "/orders", order("after-silence", 2, 1))
		return status == http.StatusCreated
	})
	b.balanced(2) // settlements have given back what was charged unseen
	_, _, ordered, _ := b.store.Books(2)
	require.EqualValues(t, 1, ordered)
}

// The same key from many clients at once is one order.
func TestOneKeyAtATime(t *testing.T) {
	b := newBench(t, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for range 50 {
		wg.Go(func() {
			status, _ := b.call("POST", "/orders", order("the-same-key", 8, 3))
			mu.Lock()
			defer mu.Unlock()
			got[status]++
		})
	}
	wg.Wait()
	require.Equal(t, map[int]int{http.StatusCreated: 1, http.StatusOK: 49}, got)
	b.balanced(8)
}
