package service

import (
	"context"
	"errors"
	"time"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/poundlock/poundlock/examples/internal/breaker"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/locks"
)

// errShort says that there are not enough goods.
var errShort = errors.New("shop: out of stock")

// desk takes orders. An order is reserved, charged and written; what goes wrong after
// the reservation is put right by a settlement, so that in the end there is an order
// that was paid, or neither.
type desk struct {
	store  goods.Store
	pay    *payment
	prices *prices
	jobs   Queue

	// Attempts with one key take turns: a client that gave up and tries again.
	keys locks.Keyed[string]
	// Orders of one product meet here and not at its row, where each of those that
	// wait would hold a connection.
	products *locks.Keyed[int64]
	write    *batchchan.Caller[goods.Order, struct{}]
}

const orderTimeout = 5 * time.Second // of charging and writing, whether the client waits or not

func newDesk(store goods.Store, pay *payment, p *prices, see *sight) (*desk, error) {
	d := &desk{store: store, pay: pay, prices: p, products: locks.NewKeyed[int64](locks.WithName("products"))}
	var err error
	d.write, err = batchchan.NewCaller(batchchan.Config[goods.Order]{
		Name: "orders", MaxBatch: 100, Workers: 2, Timeout: 3 * time.Second,
		// What no order is to blame for is tried again as it is. A batch with an order
		// that the database refuses is halved until that one stands alone.
		Retry: batchchan.Retry{
			MaxAttempts: 5, Backoff: 50 * time.Millisecond, MaxBackoff: time.Second,
			Split: true, MaxCalls: 250, // enough for 100 orders of which each is bad
			Retryable: func(err error) bool { return !errors.Is(err, goods.ErrBadOrder) },
		},
	}, d.writeMany)
	if err != nil {
		return nil, err
	}
	add(see, "orders", d.write)
	add(see, "products", d.products)
	add(see, "keys", &d.keys)
	return d, nil
}

// place takes an order. fresh is false for one that was taken before. After an error
// there is no order, or the client does not know: then it asks again with the same key.
func (d *desk) place(ctx context.Context, o goods.Order) (_ goods.Order, fresh bool, err error) {
	mine, err := d.keys.LockContext(ctx, o.Key)
	if err != nil {
		return o, false, err
	}
	defer mine.Unlock()
	switch held, err := d.reserve(ctx, o); {
	case err != nil:
		return o, false, err
	case held == goods.Nothing:
		return o, false, goods.ErrNotFound
	case held == goods.Short:
		return o, false, errShort
	case held == goods.Done:
		if o, err = d.store.Order(ctx, o.Key); err != nil {
			return o, false, err
		}
		return o, false, d.confirm(ctx, o) // a process that was killed may not have got so far
	}
	o.Cents = d.prices.get(o.Product) * o.Quantity
	// From here on the order is finished, or undone, also if the client leaves.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), orderTimeout)
	defer cancel()
	if err := d.finish(ctx, o); err != nil {
		return o, false, errors.Join(err, d.undo(ctx, o, err))
	}
	return o, true, d.confirm(ctx, o)
}

func (d *desk) confirm(ctx context.Context, o goods.Order) error {
	return d.jobs.Put(ctx, Job{Kind: "mail", Order: o, Within: time.Minute})
}

func (d *desk) reserve(ctx context.Context, o goods.Order) (goods.Held, error) {
	alone, err := d.products.LockContext(ctx, o.Product)
	if err != nil {
		return goods.Nothing, err
	}
	defer alone.Unlock()
	return d.store.Reserve(ctx, o)
}

func (d *desk) finish(ctx context.Context, o goods.Order) error {
	if err := d.pay.charge(ctx, o); err != nil {
		return err
	}
	_, err := d.write.Do(ctx, o)
	return err
}

// undo puts goods back that were certainly not paid for. Where that is not certain,
// or does not work, a settlement finds out.
func (d *desk) undo(ctx context.Context, o goods.Order, why error) error {
	if errors.Is(why, errDeclined) || errors.Is(why, breaker.ErrOpen) {
		if _, err := d.store.Release(ctx, o.Key); err == nil {
			return nil
		}
	}
	return d.jobs.Put(ctx, Job{Kind: "settle", Order: o, Within: 30 * time.Second})
}

// settle makes sure that an order is there, or that its goods are back and its money
// is. It may be called again.
func (d *desk) settle(ctx context.Context, key string) error {
	mine, err := d.keys.LockContext(ctx, key)
	if err != nil {
		return err
	}
	defer mine.Unlock()
	if _, err := d.store.Release(ctx, key); err != nil {
		return err
	}
	switch _, err := d.store.Order(ctx, key); {
	case err == nil: // it was written after all
		return nil
	case !errors.Is(err, goods.ErrNotFound):
		return err
	}
	return d.pay.refund(ctx, key)
}

// writeMany writes a batch of orders in one statement.
func (d *desk) writeMany(ctx context.Context, orders []goods.Order, results []batchchan.Result[struct{}]) error {
	keys, err := d.store.Write(ctx, orders)
	if err != nil {
		return err
	}
	written := make(map[string]bool, len(keys))
	for _, key := range keys {
		written[key] = true
	}
	for i := range orders {
		if !written[orders[i].Key] {
			results[i].Err = goods.ErrExpired
		}
	}
	return nil
}
