package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// entry is a cached product: its JSON without the price, which changes more often.
type entry struct {
	id   int64
	json []byte // not changed any more
}

func newEntry(p goods.Product) (*entry, error) {
	p.Cents = 0
	text, err := json.Marshal(&p)
	return &entry{p.ID, text}, err
}

// appendTo writes the product with its price.
func (e *entry) appendTo(b *bytes.Buffer, cents int64) {
	b.WriteString(`{"cents":`)
	b.Write(strconv.AppendInt(b.AvailableBuffer(), cents, 10))
	b.WriteByte(',')
	b.Write(e.json[1:])
}

// catalogue finds products in three levels: in memory, in Redis, in the database.
// What memory does not have is asked for together with all that others ask for at
// that moment, and each product once, whoever wants it.
//
// A product that is changed elsewhere, or while it is being read, may be seen as it
// was for as long as the levels keep it.
type catalogue struct {
	memory *otter.Cache[int64, *entry]
	ring   *ring
	store  goods.Store
	load   *batchchan.Caller[int64, *entry]
	fill   *batchchan.Batcher[*entry]        // what was read from the database goes to Redis
	back   *batchchan.Batcher[goods.Product] // what write-back has to write
	policy Policy
}

func newCatalogue(cfg Config, r *ring, store goods.Store, see *sight) (*catalogue, error) {
	c := &catalogue{ring: r, store: store, policy: cfg.Write}
	var err error
	c.memory, err = otter.New(&otter.Options[int64, *entry]{
		MaximumSize:      cfg.MemorySize,
		ExpiryCalculator: otter.ExpiryWriting[int64, *entry](cfg.MemoryTTL),
	})
	if err != nil {
		return nil, err
	}
	// Without a linger a lone request goes at once; while the workers are busy,
	// what comes meanwhile becomes the next batch.
	c.load, err = batchchan.NewMergingCaller(batchchan.CallerConfig[int64]{Config: batchchan.Config[int64]{
		Name: "load", MaxBatch: 256, Workers: 4, Timeout: 3 * time.Second,
	}}, func(id int64) int64 { return id }, c.loadMany)
	if err != nil {
		return nil, err
	}
	// Nobody waits for the cache to be filled: where it is too slow, it stays empty.
	c.fill, err = batchchan.New(batchchan.Config[*entry]{
		Name: "fill", MaxBatch: 256, Workers: 2, Overflow: batchchan.DropNewest,
	}, r.fill)
	if err != nil {
		return nil, err
	}
	c.back, err = newWriteBack(store, cfg.Log)
	if err != nil {
		return nil, err
	}
	add(see, "load", c.load)
	add(see, "fill", c.fill)
	add(see, "back", c.back)
	addFunc(see, "shop_cache", "memory", func() memoryStats { return memoryStats{c.memory.EstimatedSize(), cfg.MemorySize} })
	return c, nil
}

// memoryStats is what observe shows of the first level.
type memoryStats struct {
	Len int `json:"len"` // products kept, about
	Max int `json:"max"` // at most
}

// get returns a product.
func (c *catalogue) get(ctx context.Context, id int64) (*entry, error) {
	if e, ok := c.memory.GetIfPresent(id); ok {
		return e, nil
	}
	e, err := c.load.Do(ctx, id)
	if err != nil {
		return nil, err
	}
	c.memory.SetIfAbsent(id, e) // a change since then has set its own
	return e, nil
}

// getMany returns those products that exist, in order. What memory does not have is
// asked for together, with what others ask for.
func (c *catalogue) getMany(ctx context.Context, ids []int64) ([]*entry, error) {
	found := make([]*entry, len(ids))
	var missing []int64
	var at []int
	for i, id := range ids {
		e, ok := c.memory.GetIfPresent(id)
		if found[i] = e; !ok {
			missing, at = append(missing, id), append(at, i)
		}
	}
	for j, r := range c.load.DoMany(ctx, missing) {
		switch {
		case r.Err == nil:
			found[at[j]] = r.Value
			c.memory.SetIfAbsent(r.Value.id, r.Value)
		case !errors.Is(r.Err, goods.ErrNotFound):
			return nil, r.Err
		}
	}
	return slices.DeleteFunc(found, func(e *entry) bool { return e == nil }), nil
}

// loadMany answers a batch of requests: Redis is asked once per address, and the
// database once for what is not there. Redis may be down.
func (c *catalogue) loadMany(ctx context.Context, ids []int64, results []batchchan.Result[*entry]) error {
	for i, text := range c.ring.get(ctx, ids) {
		if len(text) > 0 {
			results[i].Value = &entry{ids[i], text}
		}
	}
	at := map[int64]int{} // of those that are missing: the index
	var missing []int64
	for i, id := range ids {
		if results[i].Value == nil {
			at[id] = i
			missing = append(missing, id)
			results[i].Err = goods.ErrNotFound
		}
	}
	if len(missing) == 0 {
		return nil
	}
	products, err := c.store.Load(ctx, missing)
	if err != nil {
		return fmt.Errorf("load products: %w", err)
	}
	for _, p := range products {
		e, err := newEntry(p)
		results[at[p.ID]] = batchchan.Result[*entry]{Value: e, Err: err}
		if err == nil {
			_ = c.fill.TrySend(e)
		}
	}
	return nil
}

func (c *catalogue) shutdown(ctx context.Context) error {
	unwritten, err := c.back.Shutdown(ctx)
	if len(unwritten) > 0 {
		err = fmt.Errorf("%d changes of products were not written: %w", len(unwritten), err)
	}
	_, _ = c.fill.Shutdown(ctx) // Redis may be down
	err = errors.Join(err, c.load.Shutdown(ctx))
	c.memory.StopAllGoroutines()
	return err
}
