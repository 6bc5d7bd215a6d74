package service

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// Policy says how a change of a product goes through the cache.
type Policy string

const (
	// Through writes the database, then the caches: what is read next is the change.
	Through Policy = "through"
	// Around writes the database and empties the caches: for what is changed often and
	// read seldom.
	Around Policy = "around"
	// Back writes the caches and answers; the database gets many changes in one
	// statement, within a moment. A process that is killed loses that moment.
	Back Policy = "back"
)

// UnmarshalText accepts the names above.
func (p *Policy) UnmarshalText(text []byte) error {
	switch *p = Policy(text); *p {
	case Through, Around, Back:
		return nil
	}
	return fmt.Errorf("%q is none of through, around, back", text)
}

// MarshalText returns the name.
func (p Policy) MarshalText() ([]byte, error) { return []byte(p), nil }

// change changes a product's name and text.
func (c *catalogue) change(ctx context.Context, p goods.Product) error {
	if _, err := c.get(ctx, p.ID); err != nil {
		return err
	}
	p.Version = time.Now().UnixMicro()
	e, err := newEntry(p)
	if err != nil {
		return err
	}
	if c.policy != Back {
		if err := c.store.Save(ctx, []goods.Product{p}); err != nil {
			return err
		}
	}
	c.load.Forget(p.ID) // who asks from now on gets no answer from before
	if c.policy == Around {
		c.memory.Invalidate(p.ID)
		_ = c.ring.forget(ctx, p.ID) // what Redis keeps, if it is down, expires
		return nil
	}
	c.memory.Set(p.ID, e)
	_ = c.ring.set(ctx, []*entry{e})
	if c.policy == Back {
		return c.back.Send(ctx, p)
	}
	return nil
}

// newWriteBack returns the batcher of changes that the database has not seen. While
// the database is down it tries again, up to half a minute; then senders wait.
func newWriteBack(store goods.Store, log *slog.Logger) (*batchchan.Batcher[goods.Product], error) {
	return batchchan.New(batchchan.Config[goods.Product]{
		Name: "back", MaxBatch: 500, Linger: 50 * time.Millisecond, Timeout: 5 * time.Second,
		Retry: batchchan.Retry{MaxAttempts: 12, MaxBackoff: 5 * time.Second},
		OnError: func(_ context.Context, err error, lost []goods.Product) {
			log.Error("changes of products are lost", "products", len(lost), "err", err)
		},
	}, store.Save)
}
