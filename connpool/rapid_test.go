package connpool_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/poundlock/poundlock/connpool"
)

// TestAnyOrderOfCalls runs random scripts against the pool in virtual time, beside
// a slow and obvious model: who waits in which order, who holds what, what is idle.
func TestAnyOrderOfCalls(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sc := script{
			maxOpen:  rapid.IntRange(1, 4).Draw(rt, "maxOpen"),
			maxIdle:  rapid.SampledFrom([]int{0, 0, -1, 1, 2}).Draw(rt, "maxIdle"),
			maxUses:  rapid.SampledFrom([]uint64{0, 0, 1, 3}).Draw(rt, "maxUses"),
			dialTime: rapid.SampledFrom([]time.Duration{0, 0, 10 * ms}).Draw(rt, "dialTime"),
			order:    rapid.SampledFrom([]connpool.Order{connpool.Affinity, connpool.LIFO, connpool.FIFO}).Draw(rt, "order"),
			checked:  rapid.Bool().Draw(rt, "checked"),
			steps:    rapid.SliceOfN(rapid.IntRange(0, 1<<20), 1, 60).Draw(rt, "steps"),
		}
		var err error
		synctest.Test(t, func(t *testing.T) { err = sc.run(t) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

type script struct {
	maxOpen, maxIdle int
	maxUses          uint64
	dialTime         time.Duration
	order            connpool.Order
	checked          bool
	steps            []int
}

type outcome struct {
	who int
	c   connpool.Conn[*fake]
	err error
}

// run plays the script: after each step everything comes to rest, and what the
// pool shows must be what the model says.
func (sc script) run(t *testing.T) (err error) {
	s := newServer(t)
	s.dialTime = sc.dialTime
	cfg := s.config()
	cfg.MaxOpen, cfg.MaxIdle, cfg.MaxUses, cfg.Order = sc.maxOpen, sc.maxIdle, sc.maxUses, sc.order
	if sc.checked {
		cfg.Check, cfg.CheckAfterIdle, cfg.Tick = s.check, -1, time.Hour
	}
	p, err := connpool.New(cfg)
	if err != nil {
		return err
	}
	var (
		out     = make(chan outcome, 100)
		next    int
		waiting []int // who waits, oldest first
		cancels = map[int]context.CancelFunc{}
		held    []connpool.Conn[*fake]
		failing = map[int]bool{} // who may get the dial's error
		max     = sc.maxOpen
		paused  bool
		calls   uint64
	)
	defer func() {
		p.Resume()
		for _, cancel := range cancels {
			cancel()
		}
		synctest.Wait()
		for len(out) > 0 {
			if o := <-out; o.err == nil {
				o.c.Release()
			}
		}
		for _, c := range held {
			c.Release()
		}
		if e := p.Close(); e != nil && err == nil {
			err = e
		}
		if st := p.Stats(); err == nil && (st.Open != 0 || s.n(&s.slots) != 0 || s.n(&s.peak) > 4) {
			err = fmt.Errorf("after the end: %+v, %d slots, peak %d", st, s.slots, s.peak)
		}
	}()
	pick := func(n int) connpool.Conn[*fake] {
		i := n % len(held)
		c := held[i]
		held = append(held[:i:i], held[i+1:]...)
		return c
	}
	for i, step := range sc.steps {
		op, arg := step%14, step/14
		switch op {
		case 0, 1, 2, 3:
			ctx, cancel := context.WithCancel(context.Background())
			who := next
			next++
			waiting = append(waiting, who)
			cancels[who] = cancel
			go func() {
				c, err := p.Acquire(ctx)
				out <- outcome{who, c, err}
			}()
		case 4, 5, 6:
			if len(held) > 0 {
				pick(arg).Release()
			}
		case 7:
			if len(held) > 0 {
				pick(arg).Destroy(nil)
			}
		case 8:
			if len(held) > 0 {
				s.hijack(pick(arg))
			}
		case 9:
			if len(waiting) > 0 {
				cancels[waiting[arg%len(waiting)]]()
			}
		case 10:
			paused = arg%2 == 0
			if paused {
				p.Pause()
			} else {
				p.Resume()
			}
		case 11:
			max = arg%4 + 1
			if err := p.Resize(max); err != nil {
				return err
			}
		case 12:
			if arg%2 == 0 {
				p.Reset()
			} else {
				p.Evict(func(i connpool.Info) bool { return i.ID%2 == 0 })
			}
		case 13:
			down := arg%2 == 0
			s.set(func() {
				s.dialErr = nil
				if down {
					s.dialErr = errDown
				}
			})
		}
		synctest.Wait()
		time.Sleep(time.Second) // real time: in a bubble; dials end
		synctest.Wait()
		for len(out) > 0 {
			o := <-out
			at := -1
			for j, w := range waiting {
				if w == o.who {
					at = j
				}
			}
			if at < 0 {
				return fmt.Errorf("step %d: %d ended twice", i, o.who)
			}
			waiting = append(waiting[:at:at], waiting[at+1:]...)
			delete(cancels, o.who)
			switch {
			case o.err == nil:
				calls++
				held = append(held, o.c)
				for _, w := range waiting {
					if w < o.who && !failing[w] {
						failing[w] = true // must turn out to have left, below
					}
				}
			case !errors.Is(o.err, errDown) && !errors.Is(o.err, context.Canceled):
				return fmt.Errorf("step %d: %w", i, o.err)
			}
		}
		for _, w := range waiting {
			if failing[w] {
				return fmt.Errorf("step %d: %d was overtaken", i, w)
			}
		}
		clear(failing)
		if err := sc.compare(p, s, len(held), waiting, max, paused); err != nil {
			return fmt.Errorf("step %d (op %d): %w", i, op, err)
		}
	}
	return nil
}

func (sc script) compare(p *connpool.Pool[*fake], s *server, held int, waiting []int, max int, paused bool) error {
	if err := p.Validate(); err != nil {
		return err
	}
	st := p.Stats()
	s.mu.Lock()
	slots := s.slots
	s.mu.Unlock()
	switch {
	case st.InUse != held:
		return fmt.Errorf("%d held, the pool says %d", held, st.InUse)
	case st.Waiting != len(waiting):
		return fmt.Errorf("%d wait, the pool says %d", len(waiting), st.Waiting)
	case st.Open != slots:
		return fmt.Errorf("%d slots at the server, the pool says %d", slots, st.Open)
	case st.Dialing+st.Closing+st.Busy != 0:
		return fmt.Errorf("not at rest: %+v", st)
	case st.Open > max && st.Idle > 0:
		return fmt.Errorf("%d open of %d, %d idle", st.Open, max, st.Idle)
	case len(waiting) > 0 && !paused && (st.Idle > 0 || st.Open < max):
		return fmt.Errorf("%d wait although %d are idle and %d of %d open", len(waiting), st.Idle, st.Open, max)
	case sc.maxIdle != 0 && st.Idle > 0 && st.Idle > sc.maxIdle:
		return fmt.Errorf("%d idle of %d", st.Idle, sc.maxIdle)
	case st.Closed+st.Hijacked+st.DialErrors+uint64(st.Open) != st.Dials:
		return fmt.Errorf("books: %+v", st)
	}
	return nil
}
