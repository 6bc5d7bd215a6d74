package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/poundlock/poundlock/connpool"
)

// newPostgresPool is a pool of pgconn connections, as a program would make it.
func newPostgresPool(url string) (*connpool.Pool[*pgconn.PgConn], error) {
	return connpool.New(connpool.Config[*pgconn.PgConn]{
		Dial:    func(ctx context.Context) (*pgconn.PgConn, error) { return pgconn.Connect(ctx, url) },
		Close:   func(c *pgconn.PgConn) error { return c.Close(context.Background()) },
		Check:   func(ctx context.Context, c *pgconn.PgConn) error { return c.Ping(ctx) },
		MaxOpen: 4,
		// An open transaction must not reach the next borrower.
		Reset: func(ctx context.Context, c *pgconn.PgConn) error {
			if c.IsClosed() {
				return errors.New("closed")
			}
			if c.TxStatus() == 'I' {
				return nil
			}
			return c.Exec(ctx, "rollback").Close()
		},
		Bad: func(err error) bool {
			var pg *pgconn.PgError // the server answered: the connection works
			return !errors.As(err, &pg)
		},
	})
}

// A pool of pgconn connections in place of database/sql's: no driver interface
// between, checks, limits and statistics of one's own choice.
func Example_postgres() {
	pool, err := newPostgresPool(os.Getenv("DATABASE_URL"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	err = pool.Do(context.Background(), func(ctx context.Context, c *pgconn.PgConn) error {
		r := c.ExecParams(ctx, "select count(*) from orders where state = $1", [][]byte{[]byte("open")}, nil, nil, nil).Read()
		if r.Err == nil {
			fmt.Printf("%s open orders\n", r.Rows[0][0])
		}
		return r.Err
	})
	if err != nil {
		fmt.Println(err)
	}
}

func TestPostgresAsAProgramWouldUseIt(t *testing.T) {
	postgresServer(t)
	t.Setenv("PGAPPNAME", fmt.Sprint("poundlock ", time.Now().UnixNano())) // tells our backends from others'
	ctx := context.Background()
	pool, err := newPostgresPool(os.Getenv("POUNDLOCK_POSTGRES"))
	require.NoError(t, err)
	exec := func(sql string) func(context.Context, *pgconn.PgConn) error {
		return func(ctx context.Context, c *pgconn.PgConn) error { return c.Exec(ctx, sql).Close() }
	}
	var pg *pgconn.PgError
	require.ErrorAs(t, pool.Do(ctx, exec("select nonsense")), &pg)
	require.NoError(t, pool.Do(ctx, exec("begin; create temporary table t (x int)")))
	require.ErrorAs(t, pool.Do(ctx, exec("select * from t")), &pg, "rolled back before the next loan")
	require.Equal(t, 1, pool.Stats().Open, "the connection survived all that")

	require.NoError(t, pool.Warm(ctx, 4))
	require.NoError(t, pool.Do(ctx, func(ctx context.Context, c *pgconn.PgConn) error {
		r := c.ExecParams(ctx, "select count(*) from pg_stat_activity where backend_type = 'client backend' and application_name = current_setting('application_name')",
			nil, nil, nil, nil).Read()
		if r.Err != nil {
			return r.Err
		}
		n, err := strconv.Atoi(string(r.Rows[0][0]))
		require.Equal(t, 4, n, "backends that the server sees")
		return err
	}))

	// The server kills a backend: the borrower sees it, nobody after.
	require.Error(t, pool.Do(ctx, exec("select pg_terminate_backend(pg_backend_pid())")))
	for range 8 {
		require.NoError(t, pool.Do(ctx, exec("select 1")))
	}
	require.NoError(t, pool.Close())
	s := pool.Stats()
	require.Equal(t, s.Dials, s.Closed+s.DialErrors)
}
