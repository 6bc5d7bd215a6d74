package plain

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// sqlStore is goods.Store on database/sql, with a pool as large as the other twin's
// and all of it kept open. The driver caches prepared statements by their text.
type sqlStore struct {
	db    *sql.DB
	trips *goods.Trips
}

func openSQL(ctx context.Context, url string, trips *goods.Trips) (*sqlStore, error) {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxLifetime(time.Hour)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqlStore{db, trips}, nil
}

func (s *sqlStore) exec(ctx context.Context, name string, args ...any) (int64, error) {
	s.trips.Queries.Add(1)
	r, err := s.db.ExecContext(ctx, goods.Statements[name], args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return r.RowsAffected()
}

// query calls scan for each row.
func (s *sqlStore) query(ctx context.Context, name string, scan func(*sql.Rows) error, args ...any) error {
	s.trips.Queries.Add(1)
	rows, err := s.db.QueryContext(ctx, goods.Statements[name], args...)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Load implements goods.Store.
func (s *sqlStore) Load(ctx context.Context, ids []int64) (found []goods.Product, err error) {
	scan := func(r *sql.Rows) error {
		var p goods.Product
		err := r.Scan(&p.ID, &p.Name, &p.Text, &p.Cents, &p.Version)
		found = append(found, p)
		return err
	}
	if len(ids) == 1 {
		err = s.query(ctx, "products.get", scan, ids[0])
		return found, err
	}
	err = s.query(ctx, "products.load", scan, ids)
	return found, err
}

// Save implements goods.Store.
func (s *sqlStore) Save(ctx context.Context, products []goods.Product) error {
	text, err := json.Marshal(products)
	if err == nil {
		_, err = s.exec(ctx, "products.save", string(text))
	}
	return err
}

// Prices implements goods.Store.
func (s *sqlStore) Prices(ctx context.Context) (map[int64]int64, error) {
	prices := map[int64]int64{}
	err := s.query(ctx, "prices.load", func(r *sql.Rows) error {
		var id, cents int64
		err := r.Scan(&id, &cents)
		prices[id] = cents
		return err
	})
	return prices, err
}

// SetPrice implements goods.Store.
func (s *sqlStore) SetPrice(ctx context.Context, id, cents int64) error {
	n, err := s.exec(ctx, "products.price", id, cents)
	if err == nil && n == 0 {
		return goods.ErrNotFound
	}
	return err
}

// Reserve implements goods.Store.
func (s *sqlStore) Reserve(ctx context.Context, o goods.Order) (held goods.Held, err error) {
	err = s.query(ctx, "orders.reserve", func(r *sql.Rows) error { return r.Scan(&held) }, o.Key, o.Product, o.Quantity)
	if code(err) == "23505" {
		return goods.Reserved, nil
	}
	return held, err
}

// Release implements goods.Store.
func (s *sqlStore) Release(ctx context.Context, key string) (bool, error) {
	n, err := s.exec(ctx, "orders.release", key)
	return n > 0, err
}

// Sweep implements goods.Store.
func (s *sqlStore) Sweep(ctx context.Context, seconds int) error {
	_, err := s.exec(ctx, "orders.sweep", seconds)
	return err
}

// Write implements goods.Store.
func (s *sqlStore) Write(ctx context.Context, orders []goods.Order) (keys []string, err error) {
	text, err := json.Marshal(orders)
	if err != nil {
		return nil, err
	}
	err = s.query(ctx, "orders.write", func(r *sql.Rows) error {
		var key string
		err := r.Scan(&key)
		keys = append(keys, key)
		return err
	}, string(text))
	if c := code(err); len(c) == 5 && (c[:2] == "22" || c[:2] == "23") {
		return nil, fmt.Errorf("%w: %w", goods.ErrBadOrder, err)
	}
	return keys, err
}

// Order implements goods.Store.
func (s *sqlStore) Order(ctx context.Context, key string) (o goods.Order, err error) {
	err = s.query(ctx, "orders.get", func(r *sql.Rows) error {
		return r.Scan(&o.Key, &o.Customer, &o.Product, &o.Quantity, &o.Cents)
	}, key)
	if err == nil && o.Key == "" {
		return o, goods.ErrNotFound
	}
	return o, err
}

// Close closes all connections.
func (s *sqlStore) Close() error { return s.db.Close() }

func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
