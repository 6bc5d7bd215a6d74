package goods

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Memory is a Store that keeps everything in maps under one mutex. It stands in for
// PostgreSQL where none is given: it speaks no protocol and forgets all at the end.
type Memory struct {
	mu       sync.Mutex // guards all below
	products map[int64]*Product
	stock    map[int64]int64
	orders   map[string]Order
	reserved map[string]reservation
}

type reservation struct {
	product, quantity int64
	at                time.Time
}

// NewMemory returns a store with n products, each with so much in stock.
func NewMemory(n int, stock int64) *Memory {
	m := &Memory{
		products: make(map[int64]*Product, n), stock: make(map[int64]int64, n),
		orders: map[string]Order{}, reserved: map[string]reservation{},
	}
	for id := int64(1); id <= int64(n); id++ {
		p := Sample(id)
		m.products[id] = &p
		m.stock[id] = stock
	}
	return m
}

// Sample returns the product with this id of the sample data, about 700 bytes.
func Sample(id int64) Product {
	return Product{
		ID: id, Name: fmt.Sprintf("Narrow boat %d", id), Cents: 1000 + id%9000,
		Text: strings.Repeat(fmt.Sprintf("Built on slip %d, steel hull, room for %d. ", id%97, 2+id%5), 14),
	}
}

// Load implements Store.
func (m *Memory) Load(_ context.Context, ids []int64) (found []Product, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		if p := m.products[id]; p != nil {
			found = append(found, *p)
		}
	}
	return found, nil
}

// Save implements Store.
func (m *Memory) Save(_ context.Context, products []Product) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range products {
		if old := m.products[p.ID]; old != nil && old.Version < p.Version {
			old.Name, old.Text, old.Version = p.Name, p.Text, p.Version
		}
	}
	return nil
}

// Prices implements Store.
func (m *Memory) Prices(context.Context) (map[int64]int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	prices := make(map[int64]int64, len(m.products))
	for id, p := range m.products {
		prices[id] = p.Cents
	}
	return prices, nil
}

// SetPrice implements Store.
func (m *Memory) SetPrice(_ context.Context, id, cents int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.products[id]
	if p == nil {
		return ErrNotFound
	}
	p.Cents = cents
	return nil
}

// Reserve implements Store.
func (m *Memory) Reserve(_ context.Context, o Order) (Held, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.orders[o.Key]; ok {
		return Done, nil
	}
	if _, ok := m.reserved[o.Key]; ok {
		return Reserved, nil
	}
	left, ok := m.stock[o.Product]
	switch {
	case !ok:
		return Nothing, nil
	case left < o.Quantity:
		return Short, nil
	}
	m.stock[o.Product] = left - o.Quantity
	m.reserved[o.Key] = reservation{o.Product, o.Quantity, time.Now()}
	return Reserved, nil
}

// Release implements Store.
func (m *Memory) Release(_ context.Context, key string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.release(key), nil
}

func (m *Memory) release(key string) bool {
	r, ok := m.reserved[key]
	if ok {
		m.stock[r.product] += r.quantity
		delete(m.reserved, key)
	}
	return ok
}

// Sweep implements Store.
func (m *Memory) Sweep(_ context.Context, seconds int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, r := range m.reserved {
		if time.Since(r.at) > time.Duration(seconds)*time.Second {
			m.release(key)
		}
	}
	return nil
}

// Write implements Store. As the table's check, it takes no name of more than 100
// characters.
func (m *Memory) Write(_ context.Context, orders []Order) (keys []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range orders {
		if utf8.RuneCountInString(o.Customer) > 100 {
			return nil, fmt.Errorf("%w: the customer's name is too long", ErrBadOrder)
		}
	}
	for _, o := range orders {
		if _, ok := m.reserved[o.Key]; ok {
			delete(m.reserved, o.Key)
			m.orders[o.Key] = o
		}
		if _, ok := m.orders[o.Key]; ok {
			keys = append(keys, o.Key)
		}
	}
	return keys, nil
}

// Order implements Store.
func (m *Memory) Order(_ context.Context, key string) (Order, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.orders[key]
	if !ok {
		return Order{}, ErrNotFound
	}
	return o, nil
}

// Close implements Store.
func (m *Memory) Close() error { return nil }

// Books returns what is in stock, reserved and ordered of a product, and the orders.
func (m *Memory) Books(product int64) (stock, reserved, ordered int64, orders map[string]Order) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.reserved {
		if r.product == product {
			reserved += r.quantity
		}
	}
	for _, o := range m.orders {
		if o.Product == product {
			ordered += o.Quantity
		}
	}
	return m.stock[product], reserved, ordered, maps.Clone(m.orders)
}
