package connpool

import (
	"errors"
	"slices"
)

// closing is the part of a pool that knows the connections whose Close has not returned:
// they keep their slots. It is guarded by Pool.mu.
type closing[C any] struct {
	list []*entry[C]
	errs []error // of the closes that Close reports
}

// mostCloseErrors is how many errors Close reports.
const mostCloseErrors = 8

func (c *closing[C]) n() int { return len(c.list) }

func (c *closing[C]) begin(e *entry[C]) { c.list = append(c.list, e) }

func (c *closing[C]) end(e *entry[C]) {
	last := len(c.list) - 1
	c.list[slices.Index(c.list, e)] = c.list[last]
	c.list[last] = nil // or the collector could not have it
	c.list = c.list[:last]
}

// report keeps err, which may be nil, for Close.
func (c *closing[C]) report(err error) {
	if err != nil && len(c.errs) < mostCloseErrors {
		c.errs = append(c.errs, err)
	}
}

func (c *closing[C]) err() error { return errors.Join(c.errs...) }
