package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/poundlock/poundlock/connpool"
	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// postgres runs prepared statements by name on pooled connections.
type postgres struct {
	pool  *connpool.Pool[*pgconn.PgConn]
	see   *sight
	trips *goods.Trips
}

// openPostgres connects, to find out now that it cannot.
func openPostgres(ctx context.Context, url string, see *sight, trips *goods.Trips) (*postgres, error) {
	pool, err := connpool.New(connpool.Config[*pgconn.PgConn]{
		Name:  "postgres",
		Dial:  func(ctx context.Context) (*pgconn.PgConn, error) { return dialPostgres(ctx, url) },
		Close: closePostgres,
		Check: func(ctx context.Context, c *pgconn.PgConn) error { return c.Ping(ctx) },
		// The server answered with an error: the connection works. Of one that was cut
		// off in the middle of an answer pgconn knows better.
		Bad: func(err error) bool {
			var pg *pgconn.PgError
			return !errors.As(err, &pg) || pg.Code[:2] == "57" // shut down by an operator
		},
		// Every statement of the shop may be run twice.
		RetryBroken: true,
		MaxOpen:     16, MaxLifetime: time.Hour, IdleTimeout: 5 * time.Minute, DialTimeout: 5 * time.Second,
		LeakAfter: 30 * time.Second,
		Backoff:   connpool.Backoff{Min: 20 * time.Millisecond, Max: time.Second},
		Breaker:   connpool.Breaker{Failures: 5, OpenFor: time.Second},
	})
	if err != nil {
		return nil, err
	}
	add(see, "postgres", pool)
	p := &postgres{pool, see, trips}
	if err := pool.Warm(ctx, 4); err != nil {
		return nil, errors.Join(fmt.Errorf("postgres: %w", err), pool.Close())
	}
	return p, nil
}

// dialPostgres prepares every statement, so that none is ever parsed again.
func dialPostgres(ctx context.Context, url string) (*pgconn.PgConn, error) {
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	for name, sql := range goods.Statements {
		if _, err := c.Prepare(ctx, name, sql, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare %s: %w", name, err), closePostgres(c))
		}
	}
	return c, nil
}

func closePostgres(c *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.Close(ctx) // the goodbye may fail on a broken connection
	return nil
}

// run runs the statement of this name and returns its rows, values as text.
func (p *postgres) run(ctx context.Context, name string, params ...[]byte) (rows [][][]byte, affected int64, err error) {
	err = p.pool.Do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		p.trips.Queries.Add(1)
		begin := time.Now()
		r := c.ExecPrepared(ctx, name, params, nil, nil).Read()
		p.see.slow.Record(name, time.Since(begin), r.Err, begin)
		rows, affected = r.Rows, r.CommandTag.RowsAffected()
		return r.Err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	return rows, affected, nil
}

// Close closes all connections, once they are back.
func (p *postgres) Close() error { return p.pool.Close() }
