package debug

import (
	"context"
	"sync"
	"time"

	"github.com/poundlock/poundlock/observe"
)

const (
	historyTicks = 60          // of the page
	linger       = time.Minute // that is sampled after the last has left
	mostStreams  = 64
	behind       = 4 // events that a slow client may be behind; more are left out
)

// feed samples the registry while somebody looks, and tells all who do.
type feed struct {
	cfg Config

	mu       sync.Mutex
	clients  map[*client]bool // guarded by mu
	left     time.Time        // when the last client left; guarded by mu
	running  bool             // the sampling goroutine exists; guarded by mu
	closed   bool             // guarded by mu
	schema   []byte           // the event; guarded by mu
	history  []mains          // the ticks since the schema changed, 60 at most, but for the last; guarded by mu
	last     tick             // guarded by mu
	cancel   context.CancelFunc
	ctx      context.Context
	sampling sync.WaitGroup
}

// client is one who looks.
type client struct {
	events chan []byte
}

func newFeed(cfg Config) *feed {
	f := &feed{cfg: cfg, clients: map[*client]bool{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	if cfg.Always {
		f.mu.Lock()
		f.run()
		f.mu.Unlock()
	}
	return f
}

// join adds a client. Its first events are the schema, the history and the last tick,
// if there are.
func (f *feed) join() (c *client, problem string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return nil, "the page is closed"
	case len(f.clients) >= mostStreams:
		return nil, "too many look already"
	}
	c = &client{events: make(chan []byte, behind+3)}
	f.clients[c] = true
	f.run() // first: what an earlier sampling left is old
	if f.schema != nil {
		c.events <- f.schema
		c.events <- historyEvent(f.history)
		c.events <- f.last.event
	}
	return c, ""
}

func (f *feed) leave(c *client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, c)
	f.left = time.Now()
}

// run starts the sampling if it is not going on. The caller holds mu.
func (f *feed) run() {
	if f.running || f.closed {
		return
	}
	f.running = true
	f.schema, f.history = nil, nil
	f.sampling.Go(f.sample)
}

func (f *feed) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.sampling.Wait()
}

// sample runs until nobody looked for a while, or the feed is closed.
func (f *feed) sample() {
	tick := time.NewTicker(f.cfg.Interval)
	defer tick.Stop()
	e := encoder{cfg: f.cfg}
	sampler := observe.Sampler{Registry: f.cfg.Registry}
	for now := time.Now(); ; {
		s := sampler.Sample(f.ctx, now)
		if f.ctx.Err() != nil || !f.publish(e.encode(s), now) {
			return
		}
		select {
		case <-f.ctx.Done():
			return
		case now = <-tick.C:
		}
	}
}

// publish hands a tick to all clients, and says whether to go on.
func (f *feed) publish(t tick, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.clients) == 0 && !f.cfg.Always && now.Sub(f.left) > linger {
		f.running = false
		return false
	}
	if t.schema != nil {
		f.schema, f.history = t.schema, f.history[:0]
	} else {
		f.history = append(f.history, f.last.mains)
	}
	if len(f.history) > historyTicks {
		f.history = append(f.history[:0], f.history[1:]...)
	}
	f.last = t
	for c := range f.clients {
		if t.schema != nil && !offer(c, t.schema) {
			delete(f.clients, c) // it would not understand what follows
			close(c.events)
			continue
		}
		offer(c, t.event)
	}
	return true
}

// offer gives a client an event unless it is too far behind.
func offer(c *client, event []byte) bool {
	select {
	case c.events <- event:
		return true
	default:
		return false
	}
}
