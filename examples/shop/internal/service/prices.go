package service

import (
	"context"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
	"github.com/poundlock/poundlock/locks"
)

// prices is the table of all prices. Every request reads it and few change it, so
// its lock becomes one whose readers do not disturb each other.
type prices struct {
	mu    locks.RWMutex
	cents map[int64]int64 // guarded by mu
}

func (p *prices) load(ctx context.Context, store goods.Store, see *sight) (err error) {
	p.mu.SetOptions(locks.RWOptions{Name: "prices", HoldSampling: 16})
	add(see, "prices", &p.mu)
	p.cents, err = store.Prices(ctx)
	return err
}

// get returns a price in cents, 0 if there is none.
func (p *prices) get(id int64) int64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.cents[id]
}

func (p *prices) set(id, cents int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cents[id] = cents
}
