package prometheus

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/lockfree"
	"github.com/poundlock/poundlock/locks"
	"github.com/poundlock/poundlock/objpool"
	"github.com/poundlock/poundlock/observe"
	"github.com/poundlock/poundlock/observe/httpstats"
	"github.com/poundlock/poundlock/workerpool"
)

// load is a service in small: all of the six packages at work, and all that can go wrong
// goes wrong now and then.
type load struct {
	orders, mails, reports *workerpool.Pool
	thumbs                 *workerpool.Pool          // of an unbounded queue
	batchers               []*batchchan.Batcher[int] // one for each Overflow
	keyed                  []*batchchan.Keyed[int, int]
	prices                 *batchchan.Caller[int, int]
	lines                  *batchchan.Chan[int]
	postgres               *connpool.Pool[int]
	redis                  *connpool.Keyed[int, int]
	buffers                *objpool.Pool[*[4096]byte]
	catalogue              locks.RWMutex
	counters               locks.SpinMutex
	stock                  locks.Keyed[int]
	log                    lockfree.Queue[int]
	work                   *lockfree.Bounded[int]
	client                 *http.Client
	site                   *httptest.Server
}

var (
	errDial   = errors.New("refused")
	errFailed = errors.New("failed")
)

// oneOf returns true one time in n.
func oneOf(n int) bool { return rand.IntN(n) == 0 }

// take lasts d in the middle, and up to four times as long.
func take(d time.Duration) {
	nap(time.Duration(min(rand.ExpFloat64(), 4) * float64(d)))
}

func nap(d time.Duration) { time.Sleep(d) } // real time: this is the work that another process looks at

func dial(context.Context) (int, error) {
	take(3 * time.Millisecond)
	if oneOf(4) {
		return 0, errDial
	}
	return 1, nil
}

func batch(context.Context, []int) error {
	take(8 * time.Millisecond)
	if oneOf(20) {
		return errFailed
	}
	if oneOf(200) {
		panic("a batch that panics")
	}
	return nil
}

func newLoad(t *testing.T, r *observe.Registry) *load {
	l := &load{}
	var err error
	ok := func() { t.Helper(); require.NoError(t, err) }
	l.orders, err = workerpool.New(workerpool.Config{Name: "orders", MaxWorkers: 10, QueueSize: 100, Overflow: workerpool.Reject, OnPanic: func(*workerpool.PanicError) {}})
	ok()
	l.mails, err = workerpool.New(workerpool.Config{Name: "mails", MaxWorkers: 2, QueueSize: 50, Overflow: workerpool.DropOldest})
	ok()
	l.reports, err = workerpool.New(workerpool.Config{Name: "reports", MaxWorkers: 1, QueueSize: 1})
	ok()
	l.thumbs, err = workerpool.New(workerpool.Config{Name: "thumbs", MaxWorkers: 2, QueueSize: workerpool.Unbounded})
	ok()
	add(t, r, "thumbs", l.thumbs)
	add(t, r, "orders", l.orders)
	add(t, r, "mails", l.mails)
	add(t, r, "reports", l.reports)
	for _, c := range []batchchan.Config[int]{
		{Name: "spans", Overflow: batchchan.DropOldest}, {Name: "audit", Overflow: batchchan.DropNewest}, {Name: "clicks", Overflow: batchchan.Reject},
	} {
		c.MaxBatch, c.MaxPending, c.Linger = 16, 96, 20*time.Millisecond
		b, err := batchchan.New(c, batch)
		require.NoError(t, err)
		l.batchers = append(l.batchers, b)
		add(t, r, c.Name, b)
	}
	for _, c := range []batchchan.Config[int]{{Name: "events", Overflow: batchchan.DropNewest}, {Name: "visits", Overflow: batchchan.Reject}} {
		c.MaxBatch, c.MaxPending, c.Linger = 16, 64, 10*time.Millisecond
		k, err := batchchan.NewKeyed(batchchan.KeyedConfig[int]{Config: c}, func(i int) int { return i % 8 },
			func(ctx context.Context, _ int, items []int) error { return batch(ctx, items) })
		require.NoError(t, err)
		l.keyed = append(l.keyed, k)
		add(t, r, c.Name, k)
	}
	l.prices, err = batchchan.NewCaller(batchchan.Config[int]{Name: "prices", MaxBatch: 2, MaxPending: 3, Overflow: batchchan.Reject},
		func(ctx context.Context, reqs []int, _ []batchchan.Result[int]) error { return batch(ctx, reqs) })
	ok()
	l.lines = batchchan.NewChan[int](8)
	pool := connpool.Config[int]{
		Name: "postgres", Dial: dial, Close: func(int) error { return nil }, MaxOpen: 3, MaxWaiters: 1, MaxUses: 50, LeakAfter: 100 * time.Millisecond,
		Check: func(context.Context, int) error {
			if oneOf(5) {
				return errFailed
			}
			return nil
		}, CheckAfterIdle: -1, OnLeaked: func(int, connpool.Info) {},
	}
	l.postgres, err = connpool.New(pool)
	ok()
	pool.Name, pool.Dial, pool.MaxOpen = "", nil, 2
	l.redis, err = connpool.NewKeyed(connpool.KeyedConfig[int, int]{Name: "redis", Pool: pool, Dial: func(ctx context.Context, _ int) (int, error) { return dial(ctx) }})
	ok()
	l.buffers, err = objpool.New(objpool.Config[*[4096]byte]{Name: "buffers", Max: 2, New: func() *[4096]byte { return new([4096]byte) }})
	ok()
	l.work, err = lockfree.NewBounded[int](64)
	ok()
	server, err := httpstats.NewServer(httpstats.ServerConfig{Registry: r, MaxInFlight: 8})
	ok()
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := httpstats.NewClient(httpstats.ClientConfig{Registry: r, Base: transport, Route: func(*http.Request) string { return "site" }})
	ok()
	l.client = &http.Client{Transport: client}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, _ *http.Request) {
		take(2 * time.Millisecond)
		if oneOf(30) {
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	l.site = httptest.NewServer(server.Wrap(mux))
	t.Cleanup(l.site.Close)

	add(t, r, "prices", l.prices)
	add(t, r, "lines", l.lines)
	add(t, r, "postgres", l.postgres)
	add(t, r, "redis", l.redis)
	add(t, r, "buffers", l.buffers)
	add(t, r, "catalogue", &l.catalogue)
	add(t, r, "counters", &l.counters)
	add(t, r, "stock", &l.stock)
	add(t, r, "log", &l.log)
	add(t, r, "work", l.work)
	add(t, r, "process", new(observe.Runtime))
	limit := debug.SetMemoryLimit(256 << 20)
	t.Cleanup(func() { debug.SetMemoryLimit(limit) })
	return l
}

// run works until ctx ends: in waves of a period, whose crests are more than can be done.
func (l *load) run(ctx context.Context, period time.Duration) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for l.receive(ctx) == nil {
				take(5 * time.Millisecond)
			}
		})
	}
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				l.call(ctx)
			}
		})
	}
	start := time.Now()
	for ctx.Err() == nil {
		crest := (1 - math.Cos(2*math.Pi*time.Since(start).Seconds()/period.Seconds())) / 2 // 0 to 1
		for range 2 + int(30*crest*crest*crest) {
			_ = l.orders.Submit(func() { l.order(ctx) }) // full is a count
			_ = l.mails.Submit(func() { take(4 * time.Millisecond) })
			l.mail(ctx)
		}
		for range int(90 * crest * crest) {
			for _, b := range l.batchers {
				_ = b.Send(ctx, 1) // dropped ones are a count, and so on
			}
			for _, k := range l.keyed {
				_ = k.Send(ctx, rand.Int())
			}
			_, _ = l.work.EnqueueDropOldest(1)
		}
		nap(20 * time.Millisecond)
	}
	wg.Wait()
}

// mail is a task that is cancelled, or whose time is up, when many others wait.
func (l *load) mail(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	if oneOf(2) {
		time.AfterFunc(10*time.Millisecond, cancel)
	}
	_ = workerpool.Go(ctx, l.mails, func(context.Context) (int, error) { // nobody asks for the result
		defer cancel()
		take(time.Millisecond)
		return 0, nil
	})
}

// order is a task that goes through most of the packages.
func (l *load) order(ctx context.Context) {
	if oneOf(100) {
		panic("an order that panics")
	}
	b := l.buffers.Get()
	defer l.buffers.Put(b)
	short, cancel := context.WithTimeout(ctx, 6*time.Millisecond)
	defer cancel()
	_ = l.postgres.Do(short, func(context.Context, int) error {
		take(3 * time.Millisecond)
		if oneOf(150) {
			nap(120 * time.Millisecond) // longer than LeakAfter
		}
		return nil
	})
	held := l.stock.Lock(rand.IntN(2))
	take(time.Millisecond)
	held.Unlock()
	reader := l.stock.RLock(rand.IntN(2))
	take(time.Millisecond)
	reader.Unlock()
	if oneOf(5) {
		l.catalogue.Lock()
		take(3 * time.Millisecond)
		l.catalogue.Unlock()
	}
	l.catalogue.RLock()
	take(time.Millisecond / 2)
	l.catalogue.RUnlock()
	l.counters.Lock()
	if oneOf(2) {
		take(time.Millisecond)
	}
	l.counters.Unlock()
	_ = l.lines.SendTimeout(1, 5*time.Millisecond)
	_ = l.log.Enqueue(1)
	_ = l.thumbs.Submit(func() { take(4 * time.Millisecond) })
	_ = l.reports.Submit(func() { take(4 * time.Millisecond) })
}

// receive takes what there is.
func (l *load) receive(ctx context.Context) error {
	if _, err := l.lines.Recv(ctx); err != nil {
		return err
	}
	_, _ = l.work.TryDequeue()
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	for range 2 {
		_, _ = l.log.Dequeue(short)
	}
	cancel()
	return ctx.Err()
}

// call is what a client does.
func (l *load) call(ctx context.Context) {
	short, cancel := context.WithTimeout(ctx, 8*time.Millisecond)
	_ = l.redis.Do(short, rand.IntN(2), func(context.Context, int) error {
		take(6 * time.Millisecond)
		if oneOf(100) {
			nap(120 * time.Millisecond)
		}
		return nil
	})
	cancel()
	_, _ = l.prices.Do(ctx, 1)
	res, err := l.client.Get(l.site.URL + "/orders/7")
	if err == nil {
		_ = res.Body.Close()
	}
	take(10 * time.Millisecond)
}

func (l *load) close() {
	_ = l.orders.Close()
	_ = l.mails.Close()
	_ = l.reports.Close()
	_ = l.thumbs.Close()
	for _, b := range l.batchers {
		_ = b.Close()
	}
	for _, k := range l.keyed {
		_ = k.Close()
	}
	_ = l.prices.Close()
	_ = l.lines.Close()
	_ = l.postgres.Close()
	_ = l.redis.Close()
	_ = l.buffers.Close()
}
