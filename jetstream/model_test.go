package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/jetstream"
)

// What a handler does with a message.
const (
	doOK       = "ok"
	doSlow     = "slow" // and nil, unless ctx ends
	doFail     = "fail"
	doPanic    = "panic"
	doGoexit   = "goexit"
	doTerminal = "terminal"
	doBeside   = "beside" // fails because others of its batch panicked
	doCut      = "cut"    // fails because ctx ended
)

// Random scripts against a real server, of publishing, handlers that end in every
// way, Workers that come and go, deliveries to others and dead letters. The books
// are exact: each message has one end, the one that the calls of its handler
// explain, and the counters of all Workers add up to it.
func TestAnyCourseOfEvents(t *testing.T) {
	var scripts atomic.Int32
	for _, form := range []struct{ batch, double bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		t.Run(fmt.Sprintf("batch=%v,double=%v", form.batch, form.double), func(t *testing.T) {
			t.Parallel()
			r := start(t)
			rapid.Check(t, func(rt *rapid.T) {
				m := newModel(rt, r, scripts.Add(1), form.batch, form.double)
				defer m.stop()
				m.play(rt)
				m.check(rt)
			})
		})
	}
}

// model is one script and its books.
type model struct {
	r          *rig
	name       string // of the stream, and in its subjects
	cfg        jetstream.Config
	dead       bool
	publisher  *jetstream.Publisher
	workers    []*jetstream.Worker // all that there were
	panicked   atomic.Uint64       // calls
	called     atomic.Uint64
	stolen     int           // deliveries to others
	told       atomic.Uint64 // messages to OnError
	twoOfAKey  atomic.Bool
	mu         sync.Mutex
	plans      map[string][]string // guarded by mu while Workers run; by message, what its first calls do; those after return nil
	calls      map[string][]string // guarded by mu; by message, what its calls did
	next       map[string]int      // guarded by mu; the call of plans that comes next
	delivered  map[string]int      // guarded by mu; by message, the most that a handler was told
	unexpected []string            // guarded by mu
}

func newModel(rt *rapid.T, r *rig, n int32, batch, double bool) *model {
	m := &model{r: r, name: "M" + strconv.Itoa(int(n)), plans: map[string][]string{}, calls: map[string][]string{}, next: map[string]int{}, delivered: map[string]int{}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for name, retention := range map[string]njs.RetentionPolicy{m.name: njs.WorkQueuePolicy, m.name + "DEAD": njs.LimitsPolicy} {
		_, err := r.js.CreateStream(ctx, njs.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Retention: retention})
		require.NoError(rt, err)
	}
	_, err := r.js.CreateConsumer(ctx, m.name, njs.ConsumerConfig{Durable: "c", AckPolicy: njs.AckExplicitPolicy, AckWait: 2 * time.Second, MaxDeliver: -1})
	require.NoError(rt, err)
	m.publisher, err = jetstream.NewPublisher(jetstream.PublisherConfig{Conn: r.nc, MaxBatch: rapid.IntRange(1, 8).Draw(rt, "publisher's batch")})
	require.NoError(rt, err)
	m.dead = rapid.Bool().Draw(rt, "dead letters")
	m.cfg = jetstream.Config{
		Conn: r.nc, Stream: m.name, Consumer: "c", DoubleAck: double,
		Workers:    rapid.IntRange(1, 4).Draw(rt, "workers"),
		Ahead:      rapid.SampledFrom([]int{-1, 0, 1, 7}).Draw(rt, "ahead"),
		MaxDeliver: rapid.SampledFrom([]int{0, 1, 3}).Draw(rt, "most deliveries"),
		Backoff:    func(n int) time.Duration { return time.Duration(n%2) * time.Millisecond },
		OnError:    m.onError,
	}
	if m.dead {
		m.cfg.DeadLetter = m.name + "DEAD.x"
	}
	if rapid.Bool().Draw(rt, "keys") {
		m.cfg.Key = (*jetstream.Delivery).Key
	}
	if batch {
		m.cfg.MaxBatch = rapid.IntRange(1, 6).Draw(rt, "batch")
		m.cfg.Linger = rapid.SampledFrom([]time.Duration{0, time.Millisecond}).Draw(rt, "linger")
	}
	return m
}

// play runs a random script and waits until nothing is left to do.
func (m *model) play(rt *rapid.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	does := rapid.SliceOfN(rapid.SampledFrom([]string{doOK, doSlow, doSlow, doFail, doFail, doPanic, doGoexit, doTerminal}), 0, 4)
	for _, step := range rapid.SliceOfN(rapid.SampledFrom([]string{"publish", "publish", "start", "close", "shutdown", "others"}), 1, 8).Draw(rt, "steps") {
		switch step {
		case "publish":
			for range rapid.IntRange(1, 8).Draw(rt, "messages") {
				id := strconv.Itoa(len(m.plans))
				plan := does.Draw(rt, "handlers")
				m.mu.Lock()
				m.plans[id] = plan
				m.mu.Unlock()
				msg := jetstream.Message{ID: m.name + id, Data: []byte(id), Key: rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "key")}
				for range rapid.IntRange(1, 2).Draw(rt, "times") { // the second is a duplicate
					require.NoError(rt, m.publisher.Send(ctx, m.name+".x", msg))
				}
			}
		case "start":
			m.start(rt, ctx)
		case "close", "shutdown":
			m.end(rt, step == "shutdown")
		case "others":
			m.others(rt)
		}
	}
	require.NoError(rt, m.publisher.Close())
	m.start(rt, ctx)
	require.Eventually(rt, func() bool { return empty(ctx, m.r.js, m.name) }, patience, 5*time.Millisecond)
	m.stop()
}

// start starts a Worker, beside those that there are.
func (m *model) start(rt *rapid.T, ctx context.Context) {
	cfg := m.cfg
	var busy sync.Map // the keys that are being handled by this Worker
	enter := func(d *jetstream.Delivery) (leave func()) {
		if cfg.Key == nil || d.Key() == "" {
			return func() {}
		}
		if _, two := busy.LoadOrStore(d.Key(), true); two {
			m.twoOfAKey.Store(true)
		}
		return func() { busy.Delete(d.Key()) }
	}
	if cfg.MaxBatch == 0 {
		cfg.Handle = func(ctx context.Context, d *jetstream.Delivery) error {
			defer enter(d)()
			return m.handle(ctx, []*jetstream.Delivery{d})[0]
		}
	} else {
		cfg.HandleBatch = func(ctx context.Context, ds []*jetstream.Delivery) error {
			defer enter(ds[0])()
			var failed batchchan.ItemErrors
			for i, err := range m.handle(ctx, ds) {
				failed.Fail(i, err)
			}
			return failed.Err()
		}
	}
	w, err := jetstream.Start(ctx, cfg)
	require.NoError(rt, err)
	m.workers = append(m.workers, w)
}

// handle does what is planned for each message.
func (m *model) handle(ctx context.Context, ds []*jetstream.Delivery) []error {
	m.called.Add(1)
	does, wait, fatal := make([]string, len(ds)), false, ""
	m.mu.Lock()
	for i, d := range ds {
		id := string(d.Data)
		does[i] = doOK
		m.delivered[id] = max(m.delivered[id], d.Delivered)
		if n := m.next[id]; n < len(m.plans[id]) {
			does[i] = m.plans[id][n]
			m.next[id]++
		}
		switch does[i] {
		case doSlow:
			wait = true
		case doPanic, doGoexit:
			fatal = does[i]
		}
	}
	m.mu.Unlock()
	cut := false
	if wait && fatal == "" {
		select {
		case <-time.After(20 * time.Millisecond): // real time: a handler that takes some
		case <-ctx.Done():
			cut = true
		}
	}
	errs := make([]error, len(ds))
	m.mu.Lock()
	for i, d := range ds {
		switch {
		case fatal != "" && does[i] != fatal:
			does[i] = doBeside
		case cut:
			does[i] = doCut
		}
		switch does[i] {
		case doTerminal:
			errs[i] = jetstream.ErrTerminal
		case doFail, doCut:
			errs[i] = errors.New(does[i])
		}
		m.calls[string(d.Data)] = append(m.calls[string(d.Data)], does[i])
	}
	m.mu.Unlock()
	switch fatal {
	case doPanic:
		m.panicked.Add(1)
		panic(doPanic)
	case doGoexit:
		runtime.Goexit()
	}
	return errs
}

func (m *model) onError(_ context.Context, d *jetstream.Delivery, err error) {
	if d != nil {
		m.told.Add(1)
		return
	}
	m.mu.Lock()
	m.unexpected = append(m.unexpected, err.Error())
	m.mu.Unlock()
}

// end ends the Worker that was started last, if one runs: gently, or cancelling
// what runs; then its requests are still open for a while.
func (m *model) end(rt *rapid.T, hard bool) {
	if len(m.workers) == 0 {
		return
	}
	w := m.workers[len(m.workers)-1]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if hard {
		cancel()
	}
	err := w.Shutdown(ctx)
	var cut *jetstream.ShutdownError
	if err != nil {
		require.ErrorAs(rt, err, &cut)
		require.Zero(rt, cut.Running+cut.Unacked, "handlers heed their ctx")
	}
}

// others has messages delivered to someone else, who hands them back.
func (m *model) others(rt *rapid.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := m.r.js.Consumer(ctx, m.name, "c")
	require.NoError(rt, err)
	batch, err := c.FetchNoWait(rapid.IntRange(1, 5).Draw(rt, "stolen"))
	require.NoError(rt, err)
	for msg := range batch.Messages() {
		m.stolen++
		require.NoError(rt, msg.Nak())
	}
}

func (m *model) stop() {
	_ = m.publisher.Close()
	for _, w := range m.workers {
		_ = w.Close()
	}
}

// check compares the books.
func (m *model) check(rt *rapid.T) {
	var sum jetstream.Stats
	for _, w := range m.workers {
		s := w.Stats()
		require.Equal(rt, s.Fetched, s.Acked+s.Failed+s.Terminated+s.DeadLettered+s.Returned+s.Lost+s.Unconfirmed+s.Abandoned, "%+v", s)
		sum.Acked += s.Acked
		sum.Failed += s.Failed
		sum.Terminated += s.Terminated
		sum.DeadLettered += s.DeadLettered
		sum.Lost += s.Lost + s.Unconfirmed + s.Abandoned
		sum.Calls += s.Calls
		sum.Panics += s.Panics
	}
	require.Empty(rt, m.unexpected)
	require.False(rt, m.twoOfAKey.Load())
	require.Zero(rt, sum.Lost, "nothing was frozen, and the server answers")
	require.Equal(rt, m.called.Load(), sum.Calls)
	require.Equal(rt, m.panicked.Load(), sum.Panics)
	require.Equal(rt, m.told.Load(), sum.Failed+sum.Terminated+sum.DeadLettered, "each failure is told once")
	p := m.publisher.Stats()
	require.Equal(rt, p.Submitted, p.Acked)
	require.EqualValues(rt, len(m.plans), p.Acked-p.Duplicates)

	letters := map[string]int{} // with the last delivery
	for _, l := range m.r.stored(m.name + "DEAD") {
		require.NotContains(rt, letters, string(l.Data))
		letters[string(l.Data)], _ = strconv.Atoi(l.Header.Get(jetstream.HeaderDelivered))
	}
	done, givenUp := 0, 0
	for id := range m.plans {
		calls := m.calls[id]
		require.LessOrEqual(rt, max(m.delivered[id], letters[id]), len(calls)+m.stolen+3*len(m.workers), "deliveries of message %s: %v", id, calls)
		var last string
		for i, did := range calls {
			last = did
			if did == doOK || did == doSlow || did == doTerminal {
				require.Equal(rt, len(calls)-1, i, "message %s was called again: %v", id, calls)
			}
		}
		delivered, dead := letters[id]
		switch {
		case last == doOK || last == doSlow:
			done++
			require.False(rt, dead, "message %s: %v, and a dead letter", id, calls)
			continue
		case last == doTerminal:
		default:
			require.NotZero(rt, m.cfg.MaxDeliver, "message %s was forgotten: %v", id, calls)
			if m.dead {
				require.GreaterOrEqual(rt, delivered, m.cfg.MaxDeliver, "message %s: %v", id, calls)
			}
		}
		givenUp++
		require.Equal(rt, m.dead, dead, "message %s: %v", id, calls)
	}
	require.EqualValues(rt, done, sum.Acked)
	require.EqualValues(rt, givenUp, sum.Terminated+sum.DeadLettered)
	require.Len(rt, letters, int(sum.DeadLettered))
	require.Empty(rt, m.r.stored(m.name))
}
