package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// mix is what customers ask, in parts of a hundred; the rest is single products.
type mix struct {
	what                  string
	pages, orders, prices int
	cold                  bool // every product equally likely, and Redis empty at first
}

var mixes = map[string]mix{
	"hot":    {"hot keys: 92 % a product, 5 % a page of 20, 2 % orders, 1 % prices", 5, 2, 1, false},
	"cold":   {"cold keys: the same mix, every product equally likely, Redis empty", 5, 2, 1, true},
	"orders": {"orders: 50 % orders, 50 % a product, hot keys", 0, 50, 0, false},
}

// result is what an attack measured.
type result = vegeta.Metrics

// attack sends the requests of a seed at a rate and adds what happens to r.
func attack(ctx context.Context, p *process, m mix, products int64, seed uint64, rate int, d time.Duration, r *result) error {
	a := vegeta.NewAttacker(vegeta.Timeout(5*time.Second), vegeta.Connections(1000), vegeta.MaxBody(0))
	defer context.AfterFunc(ctx, func() { a.Stop() })()
	for one := range a.Attack(requests(p.url, m, products, seed), vegeta.Rate{Freq: rate, Per: time.Second}, d, "") {
		r.Add(one)
	}
	return ctx.Err()
}

// requests returns a source of random requests. The same seed makes all twins get the
// same; only the orders' keys differ, as none is ordered twice.
func requests(url string, m mix, products int64, seed uint64) vegeta.Targeter {
	var mu sync.Mutex // guards random and hot
	random := rand.New(rand.NewPCG(1, seed))
	hot := rand.NewZipf(random, 1.1, 8, uint64(products-1))
	id := func() int64 {
		if m.cold {
			return 1 + random.Int64N(products)
		}
		return 1 + int64(hot.Uint64())
	}
	run := time.Now().UnixNano()
	header := http.Header{"Accept-Encoding": {"gzip"}} // given by hand, so that the client does not decompress
	n := 0
	return func(t *vegeta.Target) error {
		mu.Lock()
		defer mu.Unlock()
		t.Header, t.Method, t.Body = header, http.MethodGet, nil
		switch what := random.IntN(100); {
		case what < m.pages:
			t.URL = fmt.Sprint(url, "/catalogue/", (id()-1)/goods.PageSize)
		case what < m.pages+m.orders:
			n++
			t.Method, t.URL = http.MethodPost, url+"/orders"
			t.Body = fmt.Appendf(nil, `{"key":"load-%d-%d","customer":"somebody","product":%d,"quantity":1}`, run, n, id())
		case what < m.pages+m.orders+m.prices:
			t.Method, t.URL = http.MethodPut, fmt.Sprint(url, "/prices/", id())
			t.Body = fmt.Appendf(nil, `{"cents":%d}`, 1000+random.IntN(9000))
		default:
			t.URL = fmt.Sprint(url, "/products/", id())
		}
		return nil
	}
}
