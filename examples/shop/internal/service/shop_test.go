package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testProducts = 100
	testStock    = 1000
)

// bench is a shop with everything around it in the process.
type bench struct {
	t     *testing.T
	shop  *Shop
	store *countingStore
	redis []*miniredis.Miniredis
	pay   *goods.Payments
}

// countingStore counts the loads, keeps what it was asked to write, and can hold both up.
type countingStore struct {
	*goods.Memory
	loads, loaded atomic.Int64
	gate          chan struct{} // nil, or every load waits until it is closed
	down          atomic.Bool   // writes of products and releases of goods fail

	mu        sync.Mutex
	writeGate chan struct{} // guarded by mu; nil, or every write of orders waits until it is closed
	writes    []write       // guarded by mu
}

// write is one attempt to write orders.
type write struct {
	keys    string // sorted, with commas
	refused bool   // because of one of them
}

func (s *countingStore) Write(ctx context.Context, orders []goods.Order) ([]string, error) {
	var all []string
	for _, o := range orders {
		all = append(all, o.Key)
	}
	slices.Sort(all)
	s.mu.Lock()
	at, gate := len(s.writes), s.writeGate
	s.writes = append(s.writes, write{keys: strings.Join(all, ",")})
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	keys, err := s.Memory.Write(ctx, orders)
	s.mu.Lock()
	s.writes[at].refused = errors.Is(err, goods.ErrBadOrder)
	s.mu.Unlock()
	return keys, err
}

func (s *countingStore) written() []write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.writes)
}

func (s *countingStore) Load(ctx context.Context, ids []int64) ([]goods.Product, error) {
	s.loads.Add(1)
	s.loaded.Add(int64(len(ids)))
	if s.gate != nil {
		<-s.gate
	}
	return s.Memory.Load(ctx, ids)
}

func (s *countingStore) Save(ctx context.Context, ps []goods.Product) error {
	if s.down.Load() {
		return context.DeadlineExceeded
	}
	return s.Memory.Save(ctx, ps)
}

func (s *countingStore) Release(ctx context.Context, key string) (bool, error) {
	if s.down.Load() {
		return false, context.DeadlineExceeded
	}
	return s.Memory.Release(ctx, key)
}

func newBench(t *testing.T, change func(*Config)) *bench {
	b := &bench{t: t, store: &countingStore{Memory: goods.NewMemory(testProducts, testStock)}, pay: &goods.Payments{Limit: 1e6}}
	cfg := Config{Store: b.store, Write: Through, Log: slog.New(slog.DiscardHandler)}
	for range 2 {
		r := miniredis.RunT(t)
		b.redis = append(b.redis, r)
		cfg.Redis = append(cfg.Redis, r.Addr())
	}
	pay := httptest.NewServer(b.pay)
	t.Cleanup(pay.Close)
	cfg.Payment = pay.URL
	if change != nil {
		change(&cfg)
	}
	var err error
	b.shop, err = New(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		b.pay.BlackHole(false)
		require.NoError(t, b.shop.Shutdown(context.Background()))
	})
	return b
}

// call makes a request and returns the answer's status and body.
func (b *bench) call(method, path, body string) (int, string) {
	w := httptest.NewRecorder()
	b.shop.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	text, err := io.ReadAll(w.Result().Body)
	require.NoError(b.t, err)
	return w.Code, string(text)
}

func (b *bench) product(id int64) (p goods.Product) {
	b.t.Helper()
	status, body := b.call("GET", fmt.Sprint("/products/", id), "")
	require.Equal(b.t, http.StatusOK, status, body)
	require.NoError(b.t, json.Unmarshal([]byte(body), &p))
	return p
}

func order(key string, product, quantity int64) string {
	return fmt.Sprintf(`{"key":%q,"customer":"Ada","product":%d,"quantity":%d}`, key, product, quantity)
}

// eventually waits for what other goroutines bring about, on a loaded machine, too.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, time.Minute, time.Millisecond)
}

// balanced checks the books: what is in stock, reserved and ordered adds up, and
// what is charged is what is ordered.
func (b *bench) balanced(product int64) {
	b.t.Helper()
	var orders map[string]goods.Order
	eventually(b.t, func() bool {
		stock, reserved, ordered, all := b.store.Books(product)
		require.EqualValues(b.t, testStock, stock+reserved+ordered)
		orders = all
		return reserved == 0 && len(b.pay.Charged()) == len(all)
	})
	for key, cents := range b.pay.Charged() {
		require.Equal(b.t, orders[key].Cents, cents, key)
	}
}

func TestAProductComesFromTheNextLevel(t *testing.T) {
	b := newBench(t, nil)
	want := goods.Sample(7)
	require.Equal(t, want, b.product(7))
	require.EqualValues(t, 1, b.store.loads.Load())
	require.Equal(t, want, b.product(7), "from memory")
	eventually(t, func() bool { return b.shop.catalogue.fill.Stats().Succeeded == 1 })
	b.shop.catalogue.memory.InvalidateAll()
	require.Equal(t, want, b.product(7), "from Redis")
	require.EqualValues(t, 1, b.store.loads.Load())

	status, _ := b.call("GET", "/products/101", "")
	require.Equal(t, http.StatusNotFound, status)
	status, _ = b.call("GET", "/products/x", "")
	require.Equal(t, http.StatusBadRequest, status)
}

func TestAPageIsOneStatement(t *testing.T) {
	b := newBench(t, nil)
	var got []goods.Product
	status, body := b.call("GET", "/catalogue/1", "")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.Len(t, got, goods.PageSize)
	for i, p := range got {
		require.Equal(t, goods.Sample(int64(i)+goods.PageSize+1), p)
	}
	require.EqualValues(t, 1, b.store.loads.Load())
	_, body = b.call("GET", "/catalogue/1000", "")
	require.Equal(t, "[]", body)
}

func TestMissesAreLoadedTogether(t *testing.T) {
	b := newBench(t, nil)
	b.store.gate = make(chan struct{})
	var wg sync.WaitGroup
	for i := range int64(200) {
		wg.Go(func() { b.product(1 + i%50) })
	}
	// Four workers hold what came first; all others wait for the next batch.
	eventually(t, func() bool {
		s := b.shop.catalogue.load.Stats()
		return s.Accepted+s.Merged == 200
	})
	close(b.store.gate)
	wg.Wait()
	require.LessOrEqual(t, b.store.loaded.Load(), int64(50), "each product once")
	require.LessOrEqual(t, b.store.loads.Load(), int64(8), "four workers and what waited for them")
}

func TestAChangeIsSeen(t *testing.T) {
	for _, policy := range []Policy{Through, Around, Back} {
		t.Run(string(policy), func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Write = policy })
			b.product(3)
			b.store.down.Store(policy == Back) // write-back answers although the database is down
			status, body := b.call("PUT", "/products/3", `{"name":"Tug","text":"Strong"}`)
			require.Equal(t, http.StatusNoContent, status, body)
			got := b.product(3)
			require.Equal(t, "Tug", got.Name)
			require.Equal(t, goods.Sample(3).Cents, got.Cents)
			b.shop.catalogue.memory.InvalidateAll()
			require.Equal(t, "Tug", b.product(3).Name, "below memory")
			b.store.down.Store(false)
			require.NoError(t, b.shop.Shutdown(context.Background()))
			saved, err := b.store.Memory.Load(context.Background(), []int64{3})
			require.NoError(t, err)
			require.Equal(t, "Strong", saved[0].Text, "what was accepted is written before the end")
		})
	}
}

func TestAPriceIsSeenAtOnce(t *testing.T) {
	b := newBench(t, nil)
	b.product(5)
	status, _ := b.call("PUT", "/prices/5", `{"cents":77}`)
	require.Equal(t, http.StatusNoContent, status)
	require.EqualValues(t, 77, b.product(5).Cents)
	status, _ = b.call("PUT", "/prices/5", `{"cents":0}`)
	require.Equal(t, http.StatusBadRequest, status)
	status, _ = b.call("PUT", "/prices/1000", `{"cents":1}`)
	require.Equal(t, http.StatusNotFound, status)
}

func TestTheShopWorksWithoutRedis(t *testing.T) {
	b := newBench(t, nil)
	for _, r := range b.redis {
		r.Close()
	}
	for id := range int64(20) {
		require.Equal(t, goods.Sample(id+1), b.product(id+1))
	}
	refused := uint64(0)
	for _, br := range b.shop.ring.breakers {
		refused += br.Stats().Refused
	}
	require.NotZero(t, refused, "after some failures nobody waits for it")
	for _, r := range b.redis {
		require.NoError(t, r.Restart())
	}
	b.shop.catalogue.memory.InvalidateAll()
	eventually(t, func() bool { // the breaker lets one try after a second
		b.shop.catalogue.memory.InvalidateAll()
		b.product(1)
		b.product(2)
		return len(b.redis[0].Keys())+len(b.redis[1].Keys()) == 2
	})
}

func TestTheInside(t *testing.T) {
	b := newBench(t, nil)
	b.product(1)
	for path, want := range map[string]string{
		"/metrics":          `poundlock_batchchan_caller_accepted_total{name="load"} 1`,
		"/metrics?":         `poundlock_http_server_requests_total{name="GET /products/{id}"} 1`,
		"/slow":             "no statement took",
		"/figures":          `"cpu_ns"`,
		"/debug/poundlock/": "<html",
	} {
		w := httptest.NewRecorder()
		b.shop.Debug().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		require.Contains(t, w.Body.String(), want, path)
	}
}

func TestTheAuditLog(t *testing.T) {
	var log strings.Builder
	b := newBench(t, func(c *Config) { c.Audit = &log })
	b.call("PUT", "/prices/5", `{"cents":77}`)
	b.call("PUT", "/products/6", `{"name":"Tug"}`)
	b.call("POST", "/orders", order("audit-order", 6, 1))
	require.NoError(t, b.shop.Shutdown(context.Background()))
	var got []string
	for line := range strings.Lines(log.String()) {
		var e event
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		got = append(got, e.What+" "+e.Of)
	}
	require.Equal(t, []string{"price 5", "product 6", "order audit-order"}, got)
}

// The log has what is wrong with the shop, and nothing of what the customer sent; the
// customer does not see what is wrong inside.
func TestFailuresAreLogged(t *testing.T) {
	var log strings.Builder
	b := newBench(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	b.product(3)
	b.store.down.Store(true)
	status, body := b.call("PUT", "/products/3?token=hidden", `{"name":"hidden"}`)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "shop: not now, try again\n", body)
	require.Contains(t, log.String(), `level=ERROR msg="request failed" route="PUT /products/{id}" status=503 err="context deadline exceeded"`)
	require.NotContains(t, log.String(), "hidden")
	log.Reset()
	status, _ = b.call("GET", "/products/x", "")
	require.Equal(t, http.StatusBadRequest, status)
	require.Empty(t, log.String(), "a customer's fault")
}

// Only large bodies are compressed, and only for those who can read it.
func TestCompression(t *testing.T) {
	b := newBench(t, nil)
	for _, c := range []struct{ path, accept, encoding string }{
		{"/catalogue/0", "gzip", "gzip"}, {"/catalogue/0", "", ""}, {"/products/1", "gzip", ""},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", c.path, nil)
		r.Header.Set("Accept-Encoding", c.accept)
		b.shop.ServeHTTP(w, r)
		require.Equal(t, c.encoding, w.Header().Get("Content-Encoding"), c)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	}
}
