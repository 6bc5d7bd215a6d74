package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// The methods of goods.Store, which says what they do. Parameters and results are in
// PostgreSQL's text format; many rows travel as one JSON parameter.

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// numbers is an array in PostgreSQL's text format.
func numbers(ns []int64) []byte {
	b := []byte{'{'}
	for i, n := range ns {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return append(b, '}')
}

// scanner reads the numbers of a row and keeps the first error.
type scanner struct{ err error }

func (s *scanner) number(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	s.err = errors.Join(s.err, err)
	return n
}

// Load implements goods.Store.
func (p *postgres) Load(ctx context.Context, ids []int64) ([]goods.Product, error) {
	rows, _, err := p.run(ctx, "products.load", numbers(ids))
	if err != nil {
		return nil, err
	}
	var s scanner
	products := make([]goods.Product, len(rows))
	for i, r := range rows {
		products[i] = goods.Product{
			ID: s.number(r[0]), Name: string(r[1]), Text: string(r[2]), Cents: s.number(r[3]), Version: s.number(r[4]),
		}
	}
	return products, s.err
}

// Save implements goods.Store.
func (p *postgres) Save(ctx context.Context, products []goods.Product) error {
	text, err := json.Marshal(products)
	if err == nil {
		_, _, err = p.run(ctx, "products.save", text)
	}
	return err
}

// Prices implements goods.Store.
func (p *postgres) Prices(ctx context.Context) (map[int64]int64, error) {
	rows, _, err := p.run(ctx, "prices.load")
	if err != nil {
		return nil, err
	}
	var s scanner
	prices := make(map[int64]int64, len(rows))
	for _, r := range rows {
		prices[s.number(r[0])] = s.number(r[1])
	}
	return prices, s.err
}

// SetPrice implements goods.Store.
func (p *postgres) SetPrice(ctx context.Context, id, cents int64) error {
	_, affected, err := p.run(ctx, "products.price", number(id), number(cents))
	if err == nil && affected == 0 {
		return goods.ErrNotFound
	}
	return err
}

// Reserve implements goods.Store.
func (p *postgres) Reserve(ctx context.Context, o goods.Order) (goods.Held, error) {
	rows, _, err := p.run(ctx, "orders.reserve", []byte(o.Key), number(o.Product), number(o.Quantity))
	if code(err) == "23505" { // another attempt with this key was faster
		return goods.Reserved, nil
	}
	if err != nil {
		return goods.Nothing, err
	}
	var s scanner
	return goods.Held(s.number(rows[0][0])), s.err
}

// Release implements goods.Store.
func (p *postgres) Release(ctx context.Context, key string) (bool, error) {
	_, affected, err := p.run(ctx, "orders.release", []byte(key))
	return affected > 0, err
}

// Sweep implements goods.Store.
func (p *postgres) Sweep(ctx context.Context, seconds int) error {
	_, _, err := p.run(ctx, "orders.sweep", number(int64(seconds)))
	return err
}

// Write implements goods.Store.
func (p *postgres) Write(ctx context.Context, orders []goods.Order) ([]string, error) {
	text, err := json.Marshal(orders)
	if err != nil {
		return nil, err
	}
	rows, _, err := p.run(ctx, "orders.write", text)
	if c := code(err); len(c) == 5 && (c[:2] == "22" || c[:2] == "23") { // bad data, a violated check
		return nil, fmt.Errorf("%w: %w", goods.ErrBadOrder, err)
	}
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = string(r[0])
	}
	return keys, err
}

// Order implements goods.Store.
func (p *postgres) Order(ctx context.Context, key string) (goods.Order, error) {
	rows, _, err := p.run(ctx, "orders.get", []byte(key))
	if err != nil {
		return goods.Order{}, err
	}
	if len(rows) == 0 {
		return goods.Order{}, goods.ErrNotFound
	}
	var s scanner
	r := rows[0]
	return goods.Order{
		Key: string(r[0]), Customer: string(r[1]),
		Product: s.number(r[2]), Quantity: s.number(r[3]), Cents: s.number(r[4]),
	}, s.err
}

// code returns PostgreSQL's code of an error, or "".
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
