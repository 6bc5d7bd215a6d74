package lockfreebench

import (
	"runtime"
	"sync"
	"testing"
)

// share returns how many of n ops the i-th of g goroutines does.
func share(n, g, i int) int { return n*(i+1)/g - n*i/g }

// poll takes a value, however often it must yield for one.
func poll(tryGet func() (int, bool)) int {
	for {
		if v, ok := tryGet(); ok {
			return v
		}
		runtime.Gosched()
	}
}

// crew runs goroutines that pass b.N values and checks that the sum of what came
// out is that of what went in, and that nothing is left.
type crew struct {
	b       *testing.B
	q       Queue
	wg      sync.WaitGroup
	mu      sync.Mutex
	in, out int
}

func newCrew(b *testing.B, p Peer) *crew {
	c := &crew{b: b, q: p.New()}
	// A warm queue has rings, nodes and buffers of their lasting size.
	for range capacity {
		c.q.Put(1)
	}
	for range capacity {
		poll(c.q.TryGet)
	}
	return c
}

// run starts f as a goroutine; it returns the sums of the values it put and got.
func (c *crew) run(f func() (in, out int)) {
	c.wg.Go(func() {
		in, out := f()
		c.mu.Lock()
		c.in += in
		c.out += out
		c.mu.Unlock()
	})
}

func (c *crew) wait() {
	c.wg.Wait()
	c.b.StopTimer()
	for {
		v, ok := c.q.TryGet()
		if !ok {
			break
		}
		c.out += v
		c.b.Error("a value is left")
	}
	if c.in != c.out {
		c.b.Fatalf("values put add up to %d, values got to %d", c.in, c.out)
	}
}
